//! The example that the documentation names does what its comments say.
//!
//! The test starts itself again as a child that is the example, and reads what it prints.

#![allow(clippy::unwrap_used, reason = "in a test that is how a failure shows")]

#[path = "../examples/stock.rs"]
mod stock;

use std::process::Command;

#[test]
fn a_screen_that_was_off_shows_what_it_missed_once_and_in_order() {
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "child", "--ignored", "--nocapture"])
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    let shown = String::from_utf8(output.stdout).unwrap();
    let (_, shown) = shown.split_once("begin\n").unwrap();
    let (shown, _) = shown.split_once("end\n").unwrap();
    let expected = r#"1 b"order 1 took 2"
2 b"order 2 took 1"
3 b"order 4 took 1"
"#;
    assert_eq!(shown, expected);
}

#[test]
#[ignore = "the other test starts it as a process of its own"]
fn child() {
    // Ends the line that the test harness has begun.
    println!("begin");
    stock::main().unwrap();
    println!("end");
}

#[test]
fn the_example_has_no_more_lines_than_it_is_said_to_have() {
    let source = include_str!("../examples/stock.rs");
    let lines = source.lines().count();
    assert!(lines <= 60, "{lines} lines");
}
