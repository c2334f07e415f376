//! The plot: a panel for each scenario with a bar for each server in its better form, as SVG.

use crate::outcome::{Outcome, Row};
use crate::server::Family;
use crate::stats::three_digits;
use crate::svg::{GREY, INK, MARGIN, OURS, PEER, escaped, page};

/// Draws all outcomes, and below them what there is to know about their measuring.
pub fn svg(outcomes: &[Outcome], context: &[String]) -> String {
    let mut panels = String::new();
    let mut columns = [MARGIN; 2];
    for outcome in outcomes {
        // The next panel goes where there is most room.
        let column = usize::from(columns[1] < columns[0]);
        let (panel, height) = panel(outcome);
        let x = MARGIN + column * (PANEL + MARGIN);
        panels.push_str(&format!(
            "<g transform=\"translate({x} {})\">\n{panel}</g>\n",
            columns[column]
        ));
        columns[column] += height + MARGIN;
    }
    let width = 2 * PANEL + 3 * MARGIN;
    let foot = [&[LEGEND.to_owned()], context].concat();
    page(width, columns[0].max(columns[1]), &panels, &foot)
}

/// A panel, and its height.
fn panel(outcome: &Outcome) -> (String, usize) {
    let scenario = outcome.scenario;
    let figures: Vec<_> = bars(outcome)
        .into_iter()
        .filter_map(|(name, row)| Some((name, row, row.figure()?)))
        .collect();
    let highest: Vec<f64> = figures.iter().map(|(.., figure)| figure.highest).collect();
    let end = end(&highest, scenario.unit().is_better_when_lower());
    let scale = if end > 0.0 { BARS as f64 / end } else { 0.0 };
    let better = if scenario.unit().is_better_when_lower() {
        "less"
    } else {
        "more"
    };
    let mut out = format!(
        "<text y=\"12\" font-weight=\"bold\">{}</text><text x=\"{PANEL}\" y=\"12\" text-anchor=\"end\" fill=\"{GREY}\">{}, {better} is better</text>\n\
         <text y=\"30\" font-size=\"12\" fill=\"{GREY}\">{}</text>\n",
        escaped(scenario.name),
        escaped(scenario.unit().name()),
        escaped(scenario.about),
    );
    for (number, (name, row, figure)) in figures.iter().enumerate() {
        let y = HEAD + number * LINE;
        let at = |figure: f64| (figure.clamp(0.0, end)) * scale;
        let (length, from, to) = (at(figure.median), at(figure.lowest), at(figure.highest));
        let is_ours = row.server.family.is_none_or(Family::is_ours);
        let colour = if is_ours { OURS } else { PEER };
        let (middle, text) = (y + 8, y + 12);
        let start = NAMES as f64;
        let spread = if figure.median > end {
            let (x, bottom) = (NAMES + BARS - 16, y + 17);
            format!(
                "<path d=\"M{x} {bottom}l6 -18m5 0l-6 18\" stroke=\"#ffffff\" stroke-width=\"2\"/>"
            )
        } else {
            let (from, to) = (start + from, start + to);
            format!("<path d=\"M{from:.1} {middle}H{to:.1}\" stroke=\"{INK}\"/>")
        };
        out.push_str(&format!(
            "<text y=\"{text}\">{}</text>\
             <rect x=\"{NAMES}\" y=\"{y}\" width=\"{length:.1}\" height=\"16\" rx=\"2\" fill=\"{colour}\"/>\
             {}\
             <text x=\"{:.1}\" y=\"{text}\">{}</text>\n",
            escaped(name),
            spread,
            start + to.max(length) + 6.0,
            three_digits(figure.median),
        ));
    }
    (out, HEAD + figures.len() * LINE)
}

/// The figure at which bars end. One that is far worse than several others would leave nothing to see of those, and is
/// cut.
fn end(highest: &[f64], is_lower_better: bool) -> f64 {
    let mut sorted = highest.to_vec();
    sorted.sort_by(f64::total_cmp);
    match sorted[..] {
        [_, .., next, largest] if is_lower_better && next > 0.0 && largest > FAR * next => {
            next * (FAR - 1.0)
        }
        [.., largest] => largest.max(0.0),
        [] => 0.0,
    }
}

/// What has a bar: each server that stands for itself, and of those with several forms the better one.
fn bars(outcome: &Outcome) -> Vec<(&str, &Row)> {
    let mut bars: Vec<(&str, &Row)> = Vec::new();
    for row in &outcome.rows {
        let bar = match row.server.family {
            Some(family) => outcome.better(family).map(|row| (family.name(), row)),
            None => Some((&row.server.name[..], row)),
        };
        if let Some((name, row)) = bar
            && !bars.iter().any(|(other, _)| *other == name)
        {
            bars.push((name, row));
        }
    }
    bars
}

const LEGEND: &str = "Bars are medians of all rounds, each server in its better form, and lines go from the lowest to the \
                      highest. Two white strokes: cut, as it is far longer than the others.";
const PANEL: usize = 400;
const NAMES: usize = 104;
/// The longest bar, beside which there is room for its figure.
const BARS: usize = PANEL - NAMES - 56;
const HEAD: usize = 40;
const LINE: usize = 20;
/// How many times the next longest a bar may be.
const FAR: f64 = 2.5;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::outcome::tests::{outcome, row};

    #[test]
    fn bars_are_as_long_as_their_figures_and_names_cannot_break_out() {
        let rows = vec![row("ours", &[5.0]), row("a<b", &[10.0])];
        let svg = svg(&[outcome("echo-1", rows)], &[]);
        assert!(
            svg.contains("width=\"120.0\"") && svg.contains("width=\"240.0\""),
            "{svg}"
        );
        assert!(svg.contains("a&lt;b") && !svg.contains("a<b"));
        let opened = svg.matches("<g ").count() + svg.matches("<svg ").count();
        assert_eq!(
            opened,
            svg.matches("</").count() - svg.matches("</text>").count()
        );
    }

    #[test]
    fn a_bar_that_would_leave_no_others_to_see_is_cut() {
        for (figures, cut) in [
            (&[1.0, 2.0, 5.0][..], 5.0),
            (&[1.0, 2.0, 6.0], 3.0),
            (&[2.0, 6.0], 6.0),
            (&[0.0, 0.0, 6.0], 6.0),
            (&[-3.0], 0.0),
            (&[], 0.0),
        ] {
            assert_eq!(end(figures, true), cut, "{figures:?}");
        }
        // Nobody is cut for being better.
        assert_eq!(end(&[1.0, 2.0, 6.0], false), 6.0);
        let rows = ["ours", "floor", "node"].into_iter().zip([1.0, 1.0, 10.0]);
        let rows = rows.map(|(name, figure)| row(name, &[figure])).collect();
        let svg = svg(&[outcome("echo-1", rows)], &[]);
        assert!(
            svg.contains("width=\"160.0\"") && svg.contains("width=\"240.0\""),
            "{svg}"
        );
        assert!(svg.contains(">10.0</text>"), "{svg}");
    }

    #[test]
    fn a_server_has_one_bar_of_its_better_form() {
        let rows = vec![
            row("ours", &[5.0]),
            row("ours-current", &[4.0]),
            row("ours-workers", &[6.0]),
        ];
        let outcome = outcome("echo-1", rows);
        let bars = bars(&outcome);
        let told: Vec<(&str, &str)> = bars
            .iter()
            .map(|(name, row)| (*name, &row.server.name[..]))
            .collect();
        assert_eq!(
            told,
            [("ours", "ours-current"), ("ours-workers", "ours-workers")]
        );
    }

    #[test]
    fn a_scenario_without_a_figure_has_an_empty_panel() {
        let svg = svg(&[outcome("echo-1", vec![row("ours", &[])])], &[]);
        assert!(!svg.contains("NaN") && !svg.contains("height=\"16\""));
    }
}
