//! Medians and spreads of a few rounds.

/// The figures of all rounds, in short.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Summary {
    pub median: f64,
    pub lowest: f64,
    pub highest: f64,
}

/// Sums up; nothing if there are no figures.
pub fn summary(figures: impl IntoIterator<Item = f64>) -> Option<Summary> {
    let mut sorted: Vec<f64> = figures.into_iter().collect();
    sorted.sort_by(f64::total_cmp);
    let middle = sorted.len() / 2;
    let median = match sorted.len() {
        0 => return None,
        length if length % 2 == 1 => sorted[middle],
        _ => f64::midpoint(sorted[middle - 1], sorted[middle]),
    };
    Some(Summary {
        median,
        lowest: *sorted.first()?,
        highest: *sorted.last()?,
    })
}

/// Three digits that count, in full.
pub fn three_digits(figure: f64) -> String {
    match figure.abs() {
        size if size >= 99.95 || size == 0.0 => grouped(figure.round()),
        size if size >= 9.995 => format!("{figure:.1}"),
        size if size >= 0.0995 => format!("{figure:.2}"),
        _ => format!("{figure:.3}"),
    }
}

/// Without digits behind the point, and with a comma every three digits.
pub fn grouped(figure: f64) -> String {
    let digits = format!("{:.0}", figure.abs());
    let mut out = String::from(if figure < 0.0 { "-" } else { "" });
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at) % 3 == 0 {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_the_middle_or_between_the_two_in_the_middle() {
        assert_eq!(summary([]), None);
        for (figures, median) in [
            (&[3.0][..], 3.0),
            (&[9.0, 1.0, 2.0], 2.0),
            (&[4.0, 1.0, 2.0, 9.0], 3.0),
        ] {
            let summary = summary(figures.iter().copied()).expect("figures");
            assert_eq!(summary.median, median);
        }
        let spread = summary([9.0, 1.0, 2.0]).expect("figures");
        assert_eq!((spread.lowest, spread.highest), (1.0, 9.0));
    }

    #[test]
    fn figures_have_three_digits_and_no_fewer_in_front_of_the_point() {
        let written = [
            1_234_567.0,
            123.4,
            99.96,
            12.34,
            1.234,
            0.1234,
            0.01234,
            0.0,
            -1234.0,
        ]
        .map(three_digits);
        let expected = [
            "1,234,567",
            "123",
            "100",
            "12.3",
            "1.23",
            "0.12",
            "0.012",
            "0",
            "-1,234",
        ];
        assert_eq!(written, expected);
    }
}
