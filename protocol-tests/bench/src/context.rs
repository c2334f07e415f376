//! What was measured, where and how: all that somebody needs to know who finds a table without its machine.

use std::fs;
use std::path::Path;
use std::process::Command;

use rustix::fs::statfs;

use crate::process::numbers;
use crate::server::{Cores, Family, Server, peers};

/// One line for each thing that is to be known.
pub fn lines(servers: &[&Server], how: &str, cores: Option<Cores>) -> Vec<String> {
    let measured = format!("Measured: {}.", versions(servers).join(", "));
    let machine = format!("Machine: {}.", machine(cores).join(", "));
    vec![measured, machine, format!("Effort: {how}.")]
}

/// Whether what is flushed there is written to nothing that lasts.
pub fn is_in_memory(folder: &Path) -> bool {
    statfs(folder).is_ok_and(|it| it.f_type == TMPFS)
}

/// So many of a thing, in words.
pub fn counted(count: usize, thing: &str) -> String {
    let end = if count == 1 { "" } else { "s" };
    format!("{count} {thing}{end}")
}

/// What the servers are made of, as far as they were measured.
fn versions(servers: &[&Server]) -> Vec<String> {
    let has = |of: &[Family]| {
        let mut families = servers.iter().filter_map(|server| server.family);
        families.any(|family| of.contains(&family))
    };
    let mut out = Vec::new();
    let mut say = |is_there: bool, name: &str, version: Option<String>| {
        if is_there {
            let version = version.unwrap_or_else(|| "of an unknown version".to_owned());
            out.push(format!("{name} {version}"));
        }
    };
    let jemalloc = [
        Family::Ours,
        Family::RecoveryOn,
        Family::RecoveryOff,
        Family::ChatApp,
    ];
    let is_ours = has(&jemalloc) || has(&[Family::SystemMalloc]);
    say(is_ours, "ours", Some(ours()));
    let lock = peers().join("rust/Cargo.lock");
    let rust = |name| in_lock(&fs::read_to_string(&lock).ok()?, name);
    let has_oxide = has(&[Family::Socketioxide]);
    say(has_oxide, "socketioxide", rust("socketioxide"));
    let has_floor = has(&[Family::Floor]);
    say(has_floor, "tokio-tungstenite", rust("tokio-tungstenite"));
    let node = |name: &str| {
        let file = peers().join(format!("node/node_modules/{name}/package.json"));
        in_package(&fs::read_to_string(file).ok()?)
    };
    let has_node = has(&[Family::Node, Family::NodeChat]);
    say(has_node, "Node.js", said("node", &["--version"]));
    say(has_node, "socket.io", node("socket.io"));
    say(has(&[Family::NodeChat]), "sqlite3", node("sqlite3"));
    let has_rust = is_ours || has_oxide || has_floor;
    say(has_rust, "rustc", rustc());
    let root = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../../Cargo.lock"));
    let allocator = root
        .ok()
        .and_then(|lock| in_lock(&lock, "tikv-jemallocator"));
    let has_jemalloc = has(&jemalloc);
    say(has_jemalloc, "ours with tikv-jemallocator", allocator);
    let others = if has_jemalloc { "all else" } else { "all" };
    let libc = said("getconf", &["GNU_LIBC_VERSION"]);
    say(true, &format!("{others} with the allocator of"), libc);
    out
}

/// The state of the repository, or else the version of its crates.
fn ours() -> String {
    let described = ["describe", "--always", "--dirty", "--tags"];
    said("git", &described).unwrap_or_else(|| env!("CARGO_PKG_VERSION").to_owned())
}

/// That of the machine, with which `run` has just built what is measured.
fn rustc() -> Option<String> {
    let line = said("rustc", &["--version"])?;
    line.split(' ').nth(1).map(str::to_owned)
}

fn machine(cores: Option<Cores>) -> Vec<String> {
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let processors = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let count = processors
        .lines()
        .filter(|line| line.starts_with("processor"))
        .count();
    let model = processors
        .lines()
        .find_map(|line| line.strip_prefix("model name"));
    let model = model.map_or("unknown", |it| it.trim_start_matches([' ', '\t', ':']));
    let cores = cores.map_or_else(
        || "servers and generator on any core".to_owned(),
        |Cores { server, generator }| {
            let [server, generator] = [server, generator].map(|set| {
                let names: Vec<String> = numbers(&set).map(|core| core.to_string()).collect();
                names.join("+")
            });
            format!("servers on core {server}, generator on core {generator}")
        },
    );
    let kernel = format!("Linux {}", kernel.trim());
    vec![kernel, format!("{count} × {model}"), cores]
}

/// What a program says first; nothing if it is not there or fails.
fn said(program: &str, arguments: &[&str]) -> Option<String> {
    let output = Command::new(program)
        .args(arguments)
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    let line = text.lines().next()?.trim();
    (output.status.success() && !line.is_empty()).then(|| line.to_owned())
}

/// The version of a crate in a lock file of cargo.
fn in_lock(lock: &str, name: &str) -> Option<String> {
    let line = format!("name = \"{name}\"");
    let mut lines = lock.lines().skip_while(|it| **it != line);
    let version = lines.nth(1)?.strip_prefix("version = \"")?;
    version.strip_suffix('"').map(str::to_owned)
}

/// The version of a package of npm.
fn in_package(package: &str) -> Option<String> {
    let fields: serde_json::Value = serde_json::from_str(package).ok()?;
    fields["version"].as_str().map(str::to_owned)
}

/// How Linux calls the file system that is in memory alone.
const TMPFS: rustix::fs::FsWord = 0x0102_1994;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_those_of_the_lock_and_the_package() {
        let lock = "[[package]]\nname = \"a-b\"\nversion = \"1.2.3\"\n\n[[package]]\nname = \"b\"\nversion = \"4.5.6\"\n";
        assert_eq!(in_lock(lock, "b").as_deref(), Some("4.5.6"));
        assert_eq!(in_lock(lock, "c"), None);
        let package = r#"{"name":"x","version":"4.8.4"}"#;
        assert_eq!(in_package(package).as_deref(), Some("4.8.4"));
    }

    #[test]
    fn what_was_not_measured_is_not_spoken_of() {
        let known = Server::known();
        let of = |names: &[&str]| {
            let named = known.iter().filter(|it| names.contains(&&it.name[..]));
            versions(&named.collect::<Vec<_>>()).join(", ")
        };
        let peers = of(&["socketioxide", "floor"]);
        assert!(
            peers.contains("socketioxide 0.") && peers.contains("tokio-tungstenite 0."),
            "{peers}"
        );
        assert!(
            !peers.contains("ours") && !peers.contains("Node.js"),
            "{peers}"
        );
        let ours = of(&["ours"]);
        assert!(
            ours.starts_with("ours ") && ours.contains("tikv-jemallocator 0."),
            "{ours}"
        );
        assert!(!ours.contains("socketioxide"), "{ours}");
    }
}
