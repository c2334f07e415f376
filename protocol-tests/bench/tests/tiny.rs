//! Every scenario in a tiny form against our bench server, so that none of them can rot.

use std::fs;
use std::process::Command;

/// Runs the bench with one round and wherever the system likes, which must go well, and gives what it says.
fn bench(arguments: &[&str]) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_bench"))
        .args(arguments)
        .args(["--rounds", "1", "--cores", "none"])
        .output()
        .expect("it can be started");
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let complaints = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}\n{complaints}");
    said
}

/// Runs scenarios with two clients and ten messages of each sender, and gives the rows of the table as cells.
fn rows(scenarios: &[&str], more: &[&str]) -> Vec<Vec<String>> {
    let tiny = ["--clients", "2", "--messages", "10", "--hold", "0.05"];
    let said = bench(&[scenarios, &tiny, more].concat());
    let cells = |line: &str| {
        let line = line.trim_matches('|');
        line.split('|').map(|cell| cell.trim().to_owned()).collect()
    };
    // The table of the aims comes after an empty line.
    let rows = said.lines().take_while(|line| line.starts_with('|'));
    rows.skip(2).map(cells).collect()
}

fn assert_sound(rows: &[Vec<String>], scenarios: &[&str]) {
    let names: Vec<&str> = rows.iter().map(|row| &row[0][..]).collect();
    assert_eq!(names, scenarios);
    for row in rows {
        assert_eq!(row[13], "none", "{row:?}");
    }
}

#[test]
fn every_scenario_of_socket_io_runs_without_a_fault() {
    let scenarios = [
        "echo-1",
        "echo-8",
        "object",
        "binary",
        "broadcast",
        "broadcast-50",
        "rooms",
        "polling-1",
        "polling-8",
        "connect",
        "upgrade",
        "idle",
        "disconnect",
    ];
    let folder = tempfile::tempdir().expect("a folder");
    let plot = folder.path().join("plot.svg");
    let plot = plot.to_str().expect("a name in UTF-8");
    let rows = rows(&scenarios, &["--only", "ours", "--plot", plot]);
    assert_sound(&rows, &scenarios);
    let drawn = fs::read_to_string(plot).expect("drawn");
    assert_eq!(drawn.matches("<g ").count(), scenarios.len());
}

#[test]
fn recovery_is_measured_on_and_off() {
    let both = "recovery-off,recovery-on";
    let rows = rows(&["recovery"], &["--only", both]);
    assert_sound(&rows, &["recovery", "recovery"]);
}

#[test]
fn the_scenarios_of_the_chat_run_without_a_fault() {
    let scenarios = ["durable-50", "durable-500", "durable-1"];
    // The server that stores nothing stands in for one with a database.
    let server = format!(
        "memory={} --port {{port}} --database {{database}}",
        env!("CARGO_BIN_EXE_bench-server")
    );
    let rows = rows(&scenarios, &["--only", "memory", "--server", &server]);
    assert_sound(&rows, &scenarios);
}

#[test]
fn every_series_of_growth_runs_without_a_fault() {
    let folder = tempfile::tempdir().expect("a folder");
    let plot = folder.path().join("growth.svg");
    let file = plot.to_str().expect("a name in UTF-8");
    // No time at all, so that each size is measured by the first messages that come.
    let quick = ["--only", "ours", "--seconds", "0.0001", "--at-most", "100"];
    let said = bench(&[&["growth", "--plot", file][..], &quick].concat());
    let ours = said.lines().filter(|line| line.contains("| ours "));
    assert_eq!(ours.count(), 19, "{said}");
    let drawn = fs::read_to_string(plot).expect("drawn");
    assert_eq!(drawn.matches("<g ").count(), 9);
}

#[test]
fn a_server_that_cannot_be_started_fails_the_run() {
    let status = Command::new(env!("CARGO_BIN_EXE_bench"))
        .args([
            "echo-1",
            "--clients",
            "1",
            "--messages",
            "1",
            "--rounds",
            "1",
        ])
        .args(["--cores", "none", "--only", "mine"])
        .args(["--server", "mine=false {port}"])
        .output()
        .expect("it can be started")
        .status;
    assert_eq!(status.code(), Some(1));
}
