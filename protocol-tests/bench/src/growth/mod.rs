//! Growth: what a message costs a server that has more and more of something, where all else stays the same.
//!
//! ```sh
//! protocol-tests/bench/run growth --plot growth.svg          # all series, less than ten minutes
//! protocol-tests/bench/run growth --quick                    # less than three
//! protocol-tests/bench/run growth connections recovery       # these alone
//! ```

mod options;
mod plot;
mod series;

use std::fs;
use std::io;

pub use options::Options;
use series::Series;

use crate::context;
use crate::process;
use crate::server::Server;
use crate::stats::{Summary, grouped, summary, three_digits};
use crate::table;
use crate::tally::Faults;

/// What came out at one size.
#[derive(Debug, Clone)]
struct Point {
    size: usize,
    /// In microseconds of CPU, one of each round.
    figures: Vec<f64>,
    faults: Faults,
}

impl Point {
    fn summary(&self) -> Option<Summary> {
        summary(self.figures.iter().copied())
    }
}

/// A series as one server has it.
#[derive(Debug, Clone)]
struct Curve {
    series: Series,
    server: String,
    points: Vec<Point>,
}

/// Measures all series that were asked for; says whether nothing went wrong.
pub fn run(options: &Options) -> io::Result<bool> {
    let servers = servers(options)?;
    process::raise_file_limit()?;
    let mut curves = Vec::new();
    for series in options.series() {
        let names = series.servers();
        let servers = servers.iter().filter(|it| names.contains(&&it.name[..]));
        curves.extend(measure(series, &servers.collect::<Vec<_>>(), options)?);
    }
    println!("{}", table(&curves));
    let measured: Vec<&Server> = servers.iter().collect();
    let context = context::lines(&measured, &options.told(), options.cores());
    for line in &context {
        println!("- {line}");
    }
    if let Some(file) = &options.plot {
        fs::write(file, plot::svg(&curves, &context))?;
    }
    let mut points = curves.iter().flat_map(|curve| &curve.points);
    Ok(points.all(|point| point.faults == Faults::default()))
}

/// Those that some series has. Without one of them a curve would be missing, and what it says of the others.
fn servers(options: &Options) -> io::Result<Vec<Server>> {
    let series = options.series();
    let mut servers = Server::known();
    servers.retain(|server| {
        let name = &&server.name[..];
        let is_in_some = series.iter().any(|series| series.servers().contains(name));
        is_in_some && options.wants(name)
    });
    for server in &servers {
        if let Some(path) = server.missing() {
            let (name, path) = (&server.name, path.display());
            let text =
                format!("{name} cannot be measured: there is no {path}; --only leaves it out");
            return Err(io::Error::other(text));
        }
    }
    Ok(servers)
}

/// The curves of a series. Sizes and servers take turns, so that what the machine does meanwhile falls on all of them.
fn measure(series: Series, servers: &[&Server], options: &Options) -> io::Result<Vec<Curve>> {
    let sizes = series.sizes().iter().copied();
    let points: Vec<Point> = sizes
        .filter(|size| *size <= options.at_most)
        .map(|size| Point {
            size,
            figures: Vec::new(),
            faults: Faults::default(),
        })
        .collect();
    let curve = |server: &&Server| Curve {
        series,
        server: server.name.clone(),
        points: points.clone(),
    };
    let mut curves: Vec<Curve> = servers.iter().map(curve).collect();
    for _ in 0..options.rounds() {
        for place in 0..points.len() {
            for (curve, server) in curves.iter_mut().zip(servers) {
                let point = &mut curve.points[place];
                let folder = tempfile::tempdir()?;
                let (figure, faults) =
                    series.measure(point.size, server, options, folder.path())?;
                let (name, size) = (series.name(), point.size);
                eprintln!("{name} {} {size}: {} µs", server.name, three_digits(figure));
                point.figures.push(figure);
                point.faults.add(faults);
            }
        }
    }
    Ok(curves)
}

fn table(curves: &[Curve]) -> String {
    let head = [
        "series",
        "server",
        "number of",
        "is",
        "CPU µs a",
        "median",
        "lowest–highest",
        "÷ first",
        "faults",
    ];
    let rows = curves
        .iter()
        .flat_map(|curve| curve.points.iter().map(|point| cells(curve, point)));
    table::markdown(&head, rows, |column| !matches!(column, 3 | 5..=7))
}

fn cells(curve: &Curve, point: &Point) -> Vec<String> {
    let none = || "–".to_owned();
    let first = curve.points.first().and_then(Point::summary);
    let summary = point.summary();
    let (median, spread) = summary.map_or_else(
        || (none(), none()),
        |it| {
            let spread = [it.lowest, it.highest].map(three_digits).join("–");
            (three_digits(it.median), spread)
        },
    );
    let ratio = first
        .zip(summary)
        .map(|(first, it)| format!("{:.2}", it.median / first.median));
    vec![
        curve.series.name().to_owned(),
        curve.server.clone(),
        curve.series.counted().to_owned(),
        grouped(point.size as f64),
        curve.series.unit().to_owned(),
        median,
        spread,
        ratio.unwrap_or_else(none),
        table::faults(point.faults, 0),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_compares_with_the_first_size() {
        let point = |size, figures: &[f64]| Point {
            size,
            figures: figures.to_vec(),
            faults: Faults::default(),
        };
        let curve = Curve {
            series: Series::ALL[0],
            server: "ours".to_owned(),
            points: vec![point(10, &[2.0, 9.0, 1.0]), point(10_000, &[3.0])],
        };
        let table = table(&[curve]);
        let last: Vec<&str> = table.lines().last().expect("rows").split('|').collect();
        let cells: Vec<&str> = last.iter().map(|cell| cell.trim()).collect();
        assert!(table.contains("|     10 | message  |"), "{table}");
        assert_eq!(
            cells[4..10],
            ["10,000", "message", "3.00", "3.00–3.00", "1.50", "none"]
        );
    }
}
