//! Runs with a server that is at fault, which have to be red and say what was wrong.

use std::process::{Command, Output};

/// Measures a server with a fault by scenarios in which it can be seen.
fn run(name: &str, fault: &str) -> Output {
    let server = format!(
        "{name}={} --port {{port}} --fault {fault}",
        env!("CARGO_BIN_EXE_faulty-server")
    );
    let chat = format!("{server} --database {{database}}").replacen('=', "-chat=", 1);
    Command::new(env!("CARGO_BIN_EXE_bench"))
        .args(["echo-8", "broadcast", "durable-50", "--clients", "2"])
        .args(["--messages", "12", "--rounds", "1", "--cores", "none"])
        .args(["--server", &server, "--server", &chat])
        .args(["--only", &format!("{name},{name}-chat")])
        .output()
        .expect("it can be started")
}

/// What the table says is wrong, by scenario.
fn faults(output: &Output) -> Vec<String> {
    let said = String::from_utf8_lossy(&output.stdout);
    let rows = said.lines().take_while(|line| line.starts_with('|'));
    let last = |row: &str| {
        let cells = row.trim_end_matches('|').rsplit('|');
        cells.map(str::trim).next().map(str::to_owned)
    };
    rows.skip(2).filter_map(last).collect()
}

fn assert_red(fault: &str, said: &str) {
    let output = run("faulty", fault);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let faults = faults(&output);
    assert_eq!(faults.len(), 3, "{output:?}");
    for row in faults {
        assert!(row.contains(said), "{row} and not {said}");
    }
}

#[test]
fn a_run_without_a_fault_is_green() {
    let output = run("faultless", "none");
    assert!(output.status.success(), "{output:?}");
    assert_eq!(faults(&output), ["none"; 3]);
}

#[test]
fn a_run_with_lost_messages_is_red() {
    assert_red("drop", "lost");
}

#[test]
fn a_run_with_repeated_messages_is_red() {
    assert_red("repeat", "repeated");
}

#[test]
fn a_run_with_messages_out_of_order_is_red() {
    assert_red("swap", "out of order");
}

#[test]
fn a_run_with_changed_messages_is_red() {
    assert_red("change", "wrong");
}

#[test]
fn a_server_of_the_command_line_that_is_missing_is_an_error() {
    let output = Command::new(env!("CARGO_BIN_EXE_bench"))
        .args(["echo-1", "--server", "mine=./there/is/none {port}"])
        .output()
        .expect("it can be started");
    assert_eq!(output.status.code(), Some(2), "{output:?}");
    let complaint = String::from_utf8_lossy(&output.stderr);
    assert!(complaint.contains("./there/is/none"), "{complaint}");
}
