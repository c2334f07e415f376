//! The dates of JavaScript: milliseconds since 1970 as the text that `JSON.stringify` writes.

/// The time in ISO 8601, in UTC; none for what JavaScript calls an invalid date.
pub(super) fn iso(milliseconds: i64) -> Option<String> {
    if milliseconds.abs_diff(0) > MAX_TIME {
        return None;
    }
    let (year, month, day) = date(milliseconds.div_euclid(DAY));
    let time = milliseconds.rem_euclid(DAY);
    let year = match year {
        0..=9999 => format!("{year:04}"),
        // Others have a sign and six digits.
        _ => format!("{year:+07}"),
    };
    let (hours, minutes) = (time / 3_600_000, time / 60_000 % 60);
    let (seconds, rest) = (time / 1_000 % 60, time % 1_000);
    Some(format!(
        "{year}-{month:02}-{day:02}T{hours:02}:{minutes:02}:{seconds:02}.{rest:03}Z"
    ))
}

/// Year, month and day of a day that is counted from the first one of 1970.
fn date(days: i64) -> (i64, usize, i64) {
    // 400 years have this many days. The estimate is off by one at most.
    let mut year = 1970 + (days * 400).div_euclid(146_097);
    while first_day(year) > days {
        year -= 1;
    }
    while first_day(year + 1) <= days {
        year += 1;
    }
    let mut day = days - first_day(year);
    let february = first_day(year + 1) - first_day(year) - 337;
    let lengths = [31, february, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
    let mut month = 0;
    while day >= lengths[month] {
        day -= lengths[month];
        month += 1;
    }
    (year, month + 1, day + 1)
}

/// The first day of a year, counted from that of 1970.
fn first_day(year: i64) -> i64 {
    // Leap years before this one, from some year on.
    let leaps = |year: i64| {
        let past = year - 1;
        past.div_euclid(4) - past.div_euclid(100) + past.div_euclid(400)
    };
    365 * (year - 1970) + leaps(year) - leaps(1970)
}

const DAY: i64 = 86_400_000;

/// As far as JavaScript's time goes, to both sides.
const MAX_TIME: u64 = 8_640_000_000_000_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_written_as_javascript_writes_them() {
        for (milliseconds, text) in JAVASCRIPT {
            assert_eq!(iso(*milliseconds).as_deref(), *text, "{milliseconds}");
        }
    }

    /// `JSON.stringify(new Date(n))` of Node.js.
    const JAVASCRIPT: &[(i64, Option<&str>)] = &[
        (0, Some("1970-01-01T00:00:00.000Z")),
        (-1, Some("1969-12-31T23:59:59.999Z")),
        (1, Some("1970-01-01T00:00:00.001Z")),
        (951_782_399_999, Some("2000-02-28T23:59:59.999Z")),
        (951_782_400_000, Some("2000-02-29T00:00:00.000Z")),
        (951_868_800_000, Some("2000-03-01T00:00:00.000Z")),
        (1_000_000_000_000, Some("2001-09-09T01:46:40.000Z")),
        (1_709_164_800_000, Some("2024-02-29T00:00:00.000Z")),
        (1_709_251_199_999, Some("2024-02-29T23:59:59.999Z")),
        (-62_167_219_200_000, Some("0000-01-01T00:00:00.000Z")),
        (-62_167_219_200_001, Some("-000001-12-31T23:59:59.999Z")),
        (-62_198_755_200_000, Some("-000001-01-01T00:00:00.000Z")),
        (253_402_300_799_999, Some("9999-12-31T23:59:59.999Z")),
        (253_402_300_800_000, Some("+010000-01-01T00:00:00.000Z")),
        (8_640_000_000_000_000, Some("+275760-09-13T00:00:00.000Z")),
        (8_640_000_000_000_001, None),
        (-8_640_000_000_000_000, Some("-271821-04-20T00:00:00.000Z")),
        (-8_640_000_000_000_001, None),
        (4_107_542_400_000, Some("2100-03-01T00:00:00.000Z")),
        (-2_203_977_600_000, Some("1900-02-28T00:00:00.000Z")),
        (1_767_225_599_999, Some("2025-12-31T23:59:59.999Z")),
        (i64::MIN, None),
        (i64::MAX, None),
    ];
}
