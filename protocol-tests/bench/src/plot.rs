//! The plot: a panel for each scenario with a bar for each server, as SVG.

use crate::outcome::Outcome;
use crate::stats::three_digits;

/// Draws all outcomes.
pub fn svg(outcomes: &[Outcome]) -> String {
    let mut panels = String::new();
    let mut columns = [MARGIN; 2];
    for outcome in outcomes {
        // The next panel goes where there is most room.
        let column = usize::from(columns[1] < columns[0]);
        let (panel, height) = panel(outcome);
        let x = MARGIN + column as u32 * (PANEL + MARGIN);
        panels.push_str(&format!(
            "<g transform=\"translate({x} {})\">\n{panel}</g>\n",
            columns[column]
        ));
        columns[column] += height + MARGIN;
    }
    let width = 2 * PANEL + 3 * MARGIN;
    let height = columns[0].max(columns[1]);
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" font-family=\"sans-serif\" font-size=\"12\">\n\
         <rect width=\"{width}\" height=\"{height}\" fill=\"#ffffff\"/>\n{panels}</svg>\n"
    )
}

/// A panel, and its height.
fn panel(outcome: &Outcome) -> (String, u32) {
    let scenario = outcome.scenario;
    let figures: Vec<_> = outcome
        .rows
        .iter()
        .filter_map(|row| Some((&row.server, row.figure()?)))
        .collect();
    let largest = figures
        .iter()
        .map(|(_, figure)| figure.highest)
        .fold(0.0, f64::max);
    let scale = if largest > 0.0 {
        f64::from(BARS) / largest
    } else {
        0.0
    };
    let better = if scenario.unit().is_better_when_lower() {
        "shorter"
    } else {
        "longer"
    };
    let mut out = format!(
        "<text y=\"12\" font-weight=\"bold\">{}</text><text x=\"{PANEL}\" y=\"12\" text-anchor=\"end\" fill=\"#57606a\">{}, {better} is better</text>\n\
         <text y=\"28\" fill=\"#57606a\">{}</text>\n",
        escaped(scenario.name),
        escaped(scenario.unit().name()),
        escaped(scenario.about),
    );
    for (number, (server, figure)) in figures.iter().enumerate() {
        let y = HEAD + number as u32 * LINE;
        let length = (figure.median * scale).max(0.0);
        let (from, to) = (
            (figure.lowest * scale).max(0.0),
            (figure.highest * scale).max(0.0),
        );
        let colour = if server.starts_with("ours") || server.starts_with("chat-app") {
            OURS
        } else {
            PEER
        };
        let (middle, text) = (y + 8, y + 12);
        let start = f64::from(NAMES);
        out.push_str(&format!(
            "<text y=\"{text}\">{}</text>\
             <rect x=\"{NAMES}\" y=\"{y}\" width=\"{length:.1}\" height=\"16\" fill=\"{colour}\"/>\
             <line x1=\"{:.1}\" x2=\"{:.1}\" y1=\"{middle}\" y2=\"{middle}\" stroke=\"#24292f\"/>\
             <text x=\"{:.1}\" y=\"{text}\">{}</text>\n",
            escaped(server),
            start + from,
            start + to,
            start + to.max(length) + 6.0,
            three_digits(figure.median),
        ));
    }
    (out, HEAD + figures.len() as u32 * LINE)
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}

const MARGIN: u32 = 24;
const PANEL: u32 = 460;
const NAMES: u32 = 140;
/// The longest bar, beside which there is room for its figure.
const BARS: u32 = PANEL - NAMES - 60;
const HEAD: u32 = 40;
const LINE: u32 = 20;
const OURS: &str = "#1f6feb";
const PEER: &str = "#afb8c1";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::outcome::tests::{outcome, row};

    #[test]
    fn bars_are_as_long_as_their_figures_and_names_cannot_break_out() {
        let rows = vec![row("ours", &[5.0]), row("a<b", &[10.0])];
        let svg = svg(&[outcome("echo-1", rows)]);
        assert!(
            svg.contains("width=\"130.0\"") && svg.contains("width=\"260.0\""),
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
    fn a_scenario_without_a_figure_has_an_empty_panel() {
        let svg = svg(&[outcome("echo-1", vec![row("ours", &[])])]);
        assert!(!svg.contains("NaN") && !svg.contains("height=\"16\""));
    }
}
