//! A server that is measured: what it is to the others, and how it is started.

mod known;

use std::fs;
use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

use clap::ValueEnum;
use rustix::thread::CpuSet;

pub use known::peers;

use crate::clock::now;
use crate::process::{Process, pin};

/// What a server can be measured by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Kind {
    /// All scenarios but those of the kinds below.
    #[value(name = "socketio")]
    SocketIo,
    /// Those by WebSocket alone.
    #[value(name = "websocket")]
    WebSocket,
    /// The one that compares recovery on and off alone.
    Recovery,
    /// Those of the chat alone.
    Chat,
}

/// Servers that are forms of one. The better form is what others are compared with, and what aims are held against.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Family {
    Ours,
    /// Ours with the allocator that the peers have, too.
    SystemMalloc,
    Socketioxide,
    Floor,
    Node,
    RecoveryOn,
    RecoveryOff,
    ChatApp,
    NodeChat,
}

impl Family {
    pub fn name(self) -> &'static str {
        match self {
            Self::Ours => "ours",
            Self::SystemMalloc => "system-malloc",
            Self::Socketioxide => "socketioxide",
            Self::Floor => "floor",
            Self::Node => "node",
            Self::RecoveryOn => "recovery-on",
            Self::RecoveryOff => "recovery-off",
            Self::ChatApp => "chat-app",
            Self::NodeChat => "node-chat",
        }
    }

    /// Whether its faults are ours to mend.
    pub fn is_ours(self) -> bool {
        match self {
            Self::Ours
            | Self::SystemMalloc
            | Self::RecoveryOn
            | Self::RecoveryOff
            | Self::ChatApp => true,
            Self::Socketioxide | Self::Floor | Self::Node | Self::NodeChat => false,
        }
    }
}

/// When a server is measured without having been asked for by name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    Always,
    /// In the quick form by what is about memory alone.
    MemoryIfQuick,
    /// Where servers have more than one core, as it says nothing otherwise.
    ManyCores,
}

/// A server that can be started.
#[derive(Debug, Clone)]
pub struct Server {
    pub name: String,
    pub kind: Kind,
    /// Nothing if it is compared with others, but no other with it.
    pub family: Option<Family>,
    /// Whether its faults make a run fail; those of peers are told.
    pub is_judged: bool,
    pub part: Part,
    /// With `{port}`, `{ping}` and `{database}` to be filled in.
    command: Vec<String>,
}

/// The cores of the server and of the generator.
#[derive(Debug, Clone, Copy)]
pub struct Cores {
    pub server: CpuSet,
    pub generator: CpuSet,
}

impl Server {
    /// A server given as `name=command` or `kind:name=command`; without a kind, one with a `{database}` is a chat.
    pub fn parse(text: &str) -> Result<Self, String> {
        let (name, command) = text.split_once('=').ok_or("write it as name=command")?;
        let (kind, name) = match name.split_once(':') {
            Some((kind, name)) => (Some(Kind::from_str(kind, false)?), name),
            None => (None, name),
        };
        if name.is_empty() || !command.contains("{port}") {
            return Err("it needs a name, and a {port} in its command".to_owned());
        }
        let otherwise = if command.contains("{database}") {
            Kind::Chat
        } else {
            Kind::SocketIo
        };
        Ok(Self {
            name: name.to_owned(),
            kind: kind.unwrap_or(otherwise),
            family: None,
            is_judged: true,
            part: Part::Always,
            command: shlex::split(command).ok_or("a quote in its command has no end")?,
        })
    }

    /// The same as what is measured instead of a server that is known.
    pub fn in_place_of(&self, known: &Self) -> Self {
        Self {
            family: known.family,
            ..self.clone()
        }
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
        let scripts = peers().join("node");
        let is_script = |word: &String| Path::new(word).starts_with(&scripts);
        let needed = if self.command.iter().any(is_script) {
            scripts.join("node_modules")
        } else {
            PathBuf::from(self.command.first()?)
        };
        // A program without a folder is searched for by the system.
        (needed.components().count() > 1 && !needed.exists()).then_some(needed)
    }

    /// Starts it on its cores, and waits until it listens. The folder is its own, for a database.
    pub fn start(
        &self,
        folder: &Path,
        cores: Option<Cores>,
        ping_interval: Duration,
    ) -> io::Result<Running> {
        // Free a moment ago, which on this machine has to be good enough.
        let address = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?;
        let database = database(folder).display().to_string();
        let ping = ping_interval.as_millis().to_string();
        let mut words = self.command.iter().map(|word| {
            word.replace("{port}", &address.port().to_string())
                .replace("{ping}", &ping)
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
            pin(&cores.server)?;
        }
        let child = command.spawn();
        if let Some(cores) = cores {
            pin(&cores.generator)?;
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

/// Where a chat that is started in this folder keeps its messages.
pub fn database(folder: &Path) -> PathBuf {
    folder.join("bench.db")
}

/// How often servers of the protocol ask whether a client is there, unless they are told otherwise.
pub const PING_INTERVAL: Duration = Duration::from_secs(25);
const START_WITHIN: Duration = Duration::from_secs(20);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_of_the_command_line_is_a_chat_if_it_has_a_database_or_what_its_kind_says() {
        for (text, name, kind) in [
            ("mine=./mine --port {port}", "mine", Kind::SocketIo),
            ("mine=./mine {port} {database}", "mine", Kind::Chat),
            ("websocket:bare=./bare {port}", "bare", Kind::WebSocket),
            ("recovery:back=./mine {port}", "back", Kind::Recovery),
        ] {
            let server = Server::parse(text).expect(text);
            assert_eq!((&server.name[..], server.kind), (name, kind));
        }
        for bad in [
            "./mine {port}",
            "mine=./mine",
            "=./mine {port}",
            "chat:=./mine {port}",
            "sockets:mine=./mine {port}",
            "mine='./mine {port}",
        ] {
            assert!(Server::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn words_of_a_command_may_have_blanks_in_quotes() {
        let server = Server::parse("mine='./my server' {port} --say \"a b\"").expect("good");
        assert_eq!(
            server.command,
            ["./my server", "{port}", "--say", "a b"].map(str::to_owned)
        );
    }

    #[test]
    fn no_name_makes_a_server_a_form_of_another() {
        let namesake = Server::parse("ours-x=./mine {port}").expect("good");
        assert_eq!((namesake.family, namesake.is_judged), (None, true));
        let known = Server::known();
        let floor = known.iter().find(|it| it.name == "floor").expect("known");
        let instead = namesake.in_place_of(floor);
        assert_eq!(
            (instead.family, instead.is_judged),
            (Some(Family::Floor), true)
        );
    }

    #[test]
    fn no_two_servers_have_one_name() {
        let mut names: Vec<String> = Server::known().into_iter().map(|it| it.name).collect();
        names.sort();
        names.dedup();
        assert_eq!(names.len(), Server::known().len());
    }
}
