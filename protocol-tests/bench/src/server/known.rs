//! The servers that the crate knows: ours first, then the peers.

use std::env;
use std::path::{Path, PathBuf};

use super::{Family, Kind, Part, Server};

impl Server {
    /// All of them, in the order of their rows.
    pub fn known() -> Vec<Self> {
        use {Family as Of, Kind::*, Part::*};
        let plain = ["--port", "{port}", "--ping-interval", "{ping}"];
        let with = |more: &[&'static str]| [&plain, more].concat();
        let (multi, current) = (with(&[]), with(&["--runtime", "current"]));
        let workers = with(&["--runtime", "workers"]);
        let (ours, system) = ("bench-server", "bench-server-system");
        let (oxide, floor) = ("socketioxide-server", "floor-server");
        let chat = [
            "--listen",
            "127.0.0.1:{port}",
            "--database",
            "{database}",
            "--log",
            "warn",
        ];
        let node = |name, family, kind, file, rest: &[&str]| {
            let script = peers().join("node").join(file).display().to_string();
            let words = [&[&script[..]], rest].concat();
            server(name, family, kind, "node".into(), &words)
        };
        let server = |name, family, kind, file, words: &[&str]| {
            server(name, family, kind, program(file), words)
        };
        vec![
            server("ours", Of::Ours, SocketIo, ours, &multi),
            server("ours-current", Of::Ours, SocketIo, ours, &current),
            Self {
                family: None,
                part: ManyCores,
                ..server("ours-workers", Of::Ours, SocketIo, ours, &workers)
            },
            Self {
                part: MemoryIfQuick,
                ..server("system-malloc", Of::SystemMalloc, SocketIo, system, &multi)
            },
            Self {
                part: MemoryIfQuick,
                ..server(
                    "system-malloc-current",
                    Of::SystemMalloc,
                    SocketIo,
                    system,
                    &current,
                )
            },
            server("socketioxide", Of::Socketioxide, SocketIo, oxide, &multi),
            server(
                "socketioxide-current",
                Of::Socketioxide,
                SocketIo,
                oxide,
                &current,
            ),
            server("floor", Of::Floor, WebSocket, floor, &multi),
            server("floor-current", Of::Floor, WebSocket, floor, &current),
            node(
                "node",
                Of::Node,
                SocketIo,
                "socketio-server.mjs",
                &["{port}", "{ping}"],
            ),
            server("recovery-off", Of::RecoveryOff, Recovery, ours, &multi),
            server(
                "recovery-on",
                Of::RecoveryOn,
                Recovery,
                ours,
                &with(&["--recovery"]),
            ),
            server("chat-app", Of::ChatApp, Chat, "chat-app", &chat),
            node(
                "node-chat",
                Of::NodeChat,
                Chat,
                "chat-server.mjs",
                &["{port}", "{database}"],
            ),
        ]
    }
}

fn server(name: &str, family: Family, kind: Kind, program: PathBuf, words: &[&str]) -> Server {
    Server {
        name: name.to_owned(),
        kind,
        family: Some(family),
        is_judged: family.is_ours(),
        part: Part::Always,
        command: [program.display().to_string()]
            .into_iter()
            .chain(words.iter().map(|word| (*word).to_owned()))
            .collect(),
    }
}

/// A program of ours or of the peers: where the peers' workspace puts it, or beside this one.
fn program(name: &str) -> PathBuf {
    let there = peers().join("rust/target/release").join(name);
    if there.exists() {
        return there;
    }
    let exe = env::current_exe().ok();
    let beside = exe.and_then(|exe| Some(exe.parent()?.join(name)));
    beside.unwrap_or_else(|| name.into())
}

/// Where the servers of others are.
pub fn peers() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("peers")
}
