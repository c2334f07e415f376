//! The servers that are measured: which there are, and how one is started.

use std::env;
use std::fs;
use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

use crate::clock::now;
use crate::process::{Process, pin};

/// What a server can be measured by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// All scenarios but those of the kinds below.
    SocketIo,
    /// Those by WebSocket alone.
    WebSocket,
    /// Those about memory alone.
    Memory,
    /// The one that compares recovery on and off alone.
    Recovery,
    /// Those of the chat alone.
    Chat,
}

/// A server that can be started.
#[derive(Debug, Clone)]
pub struct Server {
    pub name: String,
    pub kind: Kind,
    /// With `{port}` and `{database}` to be filled in.
    command: Vec<String>,
}

/// The cores of the server and of the generator.
#[derive(Debug, Clone, Copy)]
pub struct Cores {
    pub server: usize,
    pub generator: usize,
}

impl Server {
    /// A server given as `name=command`; one with a `{database}` is a chat.
    pub fn parse(text: &str) -> Result<Self, String> {
        let (name, command) = text.split_once('=').ok_or("write it as name=command")?;
        if name.is_empty() || !command.contains("{port}") {
            return Err("it needs a name, and a {port} in its command".to_owned());
        }
        let kind = if command.contains("{database}") {
            Kind::Chat
        } else {
            Kind::SocketIo
        };
        Ok(Self {
            name: name.to_owned(),
            kind,
            command: command.split_whitespace().map(str::to_owned).collect(),
        })
    }

    /// Those that the crate knows. Ours come first, then the peers.
    pub fn known() -> Vec<Self> {
        let server = |name: &str, kind, program: PathBuf, arguments: &[&str]| Self {
            name: name.to_owned(),
            kind,
            command: [program.display().to_string()]
                .into_iter()
                .chain(arguments.iter().map(|word| (*word).to_owned()))
                .collect(),
        };
        let multi = ["--port", "{port}"];
        let current = ["--port", "{port}", "--runtime", "current"];
        let workers = ["--port", "{port}", "--runtime", "workers"];
        let script = |name: &str| peers().join("node").join(name).display().to_string();
        let chat = [
            "--listen",
            "127.0.0.1:{port}",
            "--database",
            "{database}",
            "--log",
            "warn",
        ];
        let node = |name, kind, file: &str, rest: &[&str]| {
            let file = script(file);
            let arguments: Vec<&str> = [&file[..]]
                .into_iter()
                .chain(rest.iter().copied())
                .collect();
            server(name, kind, "node".into(), &arguments)
        };
        let oxide = program("socketioxide-server");
        vec![
            server("ours", Kind::SocketIo, program("bench-server"), &multi),
            server(
                "ours-current",
                Kind::SocketIo,
                program("bench-server"),
                &current,
            ),
            server(
                "ours-workers",
                Kind::SocketIo,
                program("bench-server"),
                &workers,
            ),
            server(
                "system-malloc",
                Kind::Memory,
                program("bench-server-system"),
                &multi,
            ),
            server(
                "system-malloc-current",
                Kind::Memory,
                program("bench-server-system"),
                &current,
            ),
            server("socketioxide", Kind::SocketIo, oxide.clone(), &multi),
            server("socketioxide-current", Kind::SocketIo, oxide, &current),
            server("floor", Kind::WebSocket, program("floor-server"), &multi),
            server(
                "floor-current",
                Kind::WebSocket,
                program("floor-server"),
                &current,
            ),
            node("node", Kind::SocketIo, "socketio-server.mjs", &["{port}"]),
            server(
                "recovery-off",
                Kind::Recovery,
                program("bench-server"),
                &multi,
            ),
            server(
                "recovery-on",
                Kind::Recovery,
                program("bench-server"),
                &["--port", "{port}", "--recovery"],
            ),
            server("chat-app", Kind::Chat, program("chat-app"), &chat),
            node(
                "node-chat",
                Kind::Chat,
                "chat-server.mjs",
                &["{port}", "{database}"],
            ),
        ]
    }

    /// The same with more words at the end of its command.
    pub fn with(&self, words: &[&str]) -> Self {
        let mut server = self.clone();
        server
            .command
            .extend(words.iter().map(|word| (*word).to_owned()));
        server
    }

    /// What is missing to start it, if that can be told.
    pub fn missing(&self) -> Option<PathBuf> {
        let is_node = self
            .command
            .first()
            .is_some_and(|program| program == "node");
        let needed = if is_node {
            peers().join("node/node_modules")
        } else {
            PathBuf::from(self.command.first()?)
        };
        // A program without a folder is searched for by the system.
        (needed.components().count() > 1 && !needed.exists()).then_some(needed)
    }

    /// Starts it on its core, and waits until it listens. The folder is its own, for a database.
    pub fn start(&self, folder: &Path, cores: Option<Cores>) -> io::Result<Running> {
        // Free a moment ago, which on this machine has to be good enough.
        let address = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?;
        let database = folder.join("bench.db").display().to_string();
        let mut words = self.command.iter().map(|word| {
            word.replace("{port}", &address.port().to_string())
                .replace("{database}", &database)
        });
        let program = words.next().unwrap_or_default();
        let log = folder.join("log");
        let said = fs::File::create(&log)?;
        let mut command = Command::new(&program);
        command
            .args(words)
            .stdin(Stdio::null())
            .stdout(said.try_clone()?)
            .stderr(said);
        // A process begins where the thread is that starts it.
        if let Some(cores) = cores {
            pin(cores.server)?;
        }
        let child = command.spawn();
        if let Some(cores) = cores {
            pin(cores.generator)?;
        }
        let child = child
            .map_err(|error| io::Error::other(format!("{program} cannot be started: {error}")))?;
        let mut running = Running { address, child };
        running.wait_until_it_listens(&log)?;
        Ok(running)
    }
}

/// A server that runs until it is dropped.
pub struct Running {
    pub address: SocketAddr,
    child: Child,
}

impl Running {
    pub fn process(&self) -> Process {
        Process(self.child.id())
    }

    fn wait_until_it_listens(&mut self, log: &Path) -> io::Result<()> {
        let begun = now();
        while TcpStream::connect(self.address).is_err() {
            let ended = self.child.try_wait()?;
            if ended.is_some() || begun.elapsed() > START_WITHIN {
                let said = fs::read_to_string(log).unwrap_or_default();
                return Err(io::Error::other(format!(
                    "it does not come up; it said:\n{said}"
                )));
            }
            thread::sleep(Duration::from_millis(5));
        }
        Ok(())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // One that has ended already needs no end.
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

/// A program of ours or of the peers: beside this one, or where the peers' workspace puts it.
fn program(name: &str) -> PathBuf {
    let beside = env::current_exe()
        .ok()
        .and_then(|exe| Some(exe.parent()?.join(name)));
    let here = beside.unwrap_or_else(|| name.into());
    let there = peers().join("rust/target/release").join(name);
    if !here.exists() && there.exists() {
        there
    } else {
        here
    }
}

fn peers() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("peers")
}

const START_WITHIN: Duration = Duration::from_secs(20);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_of_the_command_line_is_a_chat_if_it_has_a_database() {
        let plain = Server::parse("mine=./mine --port {port}").expect("good");
        assert_eq!((&plain.name[..], plain.kind), ("mine", Kind::SocketIo));
        let chat = Server::parse("mine=./mine {port} {database}").expect("good");
        assert_eq!(chat.kind, Kind::Chat);
        for bad in ["./mine {port}", "mine=./mine", "=./mine {port}"] {
            assert!(Server::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn no_two_servers_have_one_name() {
        let mut names: Vec<String> = Server::known().into_iter().map(|it| it.name).collect();
        names.sort();
        names.dedup();
        assert_eq!(names.len(), Server::known().len());
    }
}
