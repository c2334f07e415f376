//! The plot: a panel for each series with a curve for each server, as SVG. Sizes grow by their logarithm, costs from 0.

use super::{Curve, Point};
use crate::stats::{grouped, three_digits};
use crate::svg::{GREY, MARGIN, OURS, PEER, page};

/// Draws all curves, and below them what there is to know about their measuring.
pub fn svg(curves: &[Curve], context: &[String]) -> String {
    let mut panels = String::new();
    let mut count = 0;
    for group in curves.chunk_by(|one, next| one.series == next.series) {
        let x = MARGIN + count % COLUMNS * (PANEL + MARGIN);
        let y = MARGIN + count / COLUMNS * (HEIGHT + MARGIN);
        panels.push_str(&format!(
            "<g transform=\"translate({x} {y})\">\n{}</g>\n",
            panel(group)
        ));
        count += 1;
    }
    let width = COLUMNS * (PANEL + MARGIN) + MARGIN;
    let height = count.div_ceil(COLUMNS) * (HEIGHT + MARGIN) + MARGIN;
    page(width, height, &panels, context)
}

fn panel(curves: &[Curve]) -> String {
    let Some(series) = curves.first().map(|curve| curve.series) else {
        return String::new();
    };
    let points = || curves.iter().flat_map(|curve| &curve.points);
    let highest = points()
        .filter_map(|point| Some(point.summary()?.highest))
        .fold(0.0, f64::max);
    let sizes = || points().map(|point| place(point.size));
    let (first, last) = (
        sizes().fold(f64::INFINITY, f64::min),
        sizes().fold(f64::NEG_INFINITY, f64::max),
    );
    let span = if last > first { last - first } else { 1.0 };
    let x = |point: &Point| LEFT + (place(point.size) - first) / span * WIDE;
    let y = |figure: f64| {
        BOTTOM
            - if highest > 0.0 {
                figure / highest * HIGH
            } else {
                0.0
            }
    };
    let mut out = format!(
        "<text y=\"12\" font-weight=\"bold\">CPU µs a {}</text><text y=\"30\" font-size=\"12\" fill=\"{GREY}\">by the number of {}</text>\n\
         <path d=\"M{LEFT} {:.1}V{BOTTOM}H{:.1}\" fill=\"none\" stroke=\"{GREY}\"/>\n",
        series.unit(),
        series.counted(),
        BOTTOM - HIGH,
        LEFT + WIDE,
    );
    for figure in [0.0, highest] {
        out.push_str(&format!(
            "<text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{}</text>\n",
            LEFT - 6.0,
            y(figure) + 4.0,
            three_digits(figure)
        ));
    }
    for point in curves.first().into_iter().flat_map(|curve| &curve.points) {
        out.push_str(&format!(
            "<text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{}</text>\n",
            x(point),
            BOTTOM + 16.0,
            grouped(point.size as f64)
        ));
    }
    let mut labels = Vec::new();
    for curve in curves {
        let colour = if curve.server == "ours" { OURS } else { PEER };
        let medians: Vec<(f64, f64)> = curve
            .points
            .iter()
            .filter_map(|point| Some((x(point), y(point.summary()?.median))))
            .collect();
        let line: Vec<String> = medians
            .iter()
            .map(|(x, y)| format!("{x:.1},{y:.1}"))
            .collect();
        out.push_str(&format!(
            "<polyline points=\"{}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"2\"/>\n",
            line.join(" ")
        ));
        for (x, y) in &medians {
            out.push_str(&format!(
                "<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"3\" fill=\"{colour}\"/>\n"
            ));
        }
        if let Some((x, y)) = medians.last() {
            let y = label_beside(&mut labels, y + 4.0);
            out.push_str(&format!(
                "<text x=\"{:.1}\" y=\"{y:.1}\" fill=\"{GREY}\">{}</text>\n",
                x + 8.0,
                curve.server
            ));
        }
    }
    out
}

/// Where the name of a curve goes, so that it is on no other one's.
fn label_beside(labels: &mut Vec<f64>, wanted: f64) -> f64 {
    let near = labels.iter().find(|label| (wanted - **label).abs() < LINE);
    let place = match near {
        Some(label) if wanted < *label => label - LINE,
        Some(label) => label + LINE,
        None => wanted,
    };
    labels.push(place);
    place
}

/// Where a size is, by its logarithm; none at all is a little before one.
fn place(size: usize) -> f64 {
    if size == 0 {
        // Near what follows in its series, which is a thousand.
        2.0
    } else {
        (size as f64).log10()
    }
}

const COLUMNS: usize = 2;
const PANEL: usize = 420;
const HEIGHT: usize = 220;
const LEFT: f64 = 44.0;
const WIDE: f64 = 320.0;
const HIGH: f64 = 140.0;
const LINE: f64 = 14.0;
const BOTTOM: f64 = 190.0;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::growth::series::Series;
    use crate::tally::Faults;

    fn curve(server: &str, points: &[(usize, f64)]) -> Curve {
        let point = |&(size, figure): &(usize, f64)| Point {
            size,
            figures: vec![figure],
            faults: Faults::default(),
        };
        Curve {
            series: Series::Connections,
            server: server.to_owned(),
            points: points.iter().map(point).collect(),
        }
    }

    #[test]
    fn sizes_are_placed_by_their_logarithm_and_costs_from_zero() {
        let ours = curve("ours", &[(100, 2.0), (1_000, 4.0), (10_000, 2.0)]);
        let svg = svg(&[ours, curve("floor", &[(100, 1.0)])], &[]);
        assert!(
            svg.contains("points=\"44.0,120.0 204.0,50.0 364.0,120.0\""),
            "{svg}"
        );
        assert_eq!(svg.matches("<g ").count(), 1);
        assert_eq!(svg.matches("<polyline").count(), 2);
    }

    #[test]
    fn names_of_curves_are_on_different_lines() {
        let mut labels = Vec::new();
        let places = [100.0, 101.0, 50.0].map(|wanted| label_beside(&mut labels, wanted));
        assert_eq!(places, [100.0, 114.0, 50.0]);
        assert_eq!(label_beside(&mut vec![100.0], 99.0), 86.0);
    }

    #[test]
    fn one_size_alone_is_drawn_without_a_number_that_is_none() {
        let svg = svg(&[curve("ours", &[(0, 0.0)])], &[]);
        assert!(!svg.contains("NaN") && !svg.contains("inf"), "{svg}");
    }
}
