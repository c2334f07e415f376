//! The generator judges our servers, and so has no line of them in it.

use std::fs;
use std::path::{Path, PathBuf};

/// Which of our libraries a line of code names, be it to use it or by a path. Comments and strings may speak of them.
fn named(line: &str) -> Option<&'static str> {
    let code = line.split("//").next().unwrap_or_default();
    let words: Vec<&str> = code
        .split(|letter: char| !letter.is_alphanumeric() && letter != '_' && letter != ':')
        .collect();
    ["socketio", "engineio", "event_log", "chat_app"]
        .into_iter()
        .find(|library| {
            let path = format!("{library}::");
            let is_path =
                |word: &str| word == path.trim_end_matches(':') || word.starts_with(&path);
            let is_used = matches!(words.first(), Some(&"use" | &"extern" | &"pub"));
            words.iter().any(|word| word.starts_with(&path))
                || is_used && words.iter().any(|word| is_path(word))
        })
}

fn sources(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).expect("a folder");
    let mut files = Vec::new();
    for entry in entries {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            files.extend(sources(&path));
        } else {
            files.push(path);
        }
    }
    files
}

#[test]
fn the_generator_names_none_of_our_libraries() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = sources(&src);
    // The servers that are measured.
    files.retain(|file| !file.starts_with(src.join("bin")) && *file != src.join("bench_server.rs"));
    assert!(files.contains(&src.join("wire/websocket.rs")));
    for file in files {
        let text = fs::read_to_string(&file).expect("text");
        for (number, line) in text.lines().enumerate() {
            assert_eq!(named(line), None, "{}:{}", file.display(), number + 1);
        }
    }
}

#[test]
fn what_a_server_is_made_of_would_be_found() {
    let server = include_str!("../src/bench_server.rs");
    assert!(server.lines().any(|line| named(line) == Some("socketio")));
    assert_eq!(named("let sid = engineio::Sid::new();"), Some("engineio"));
    assert_eq!(named("use event_log as log;"), Some("event_log"));
    assert_eq!(
        named(r#"#[value(name = "socketio")] // not socketio::it"#),
        None
    );
}
