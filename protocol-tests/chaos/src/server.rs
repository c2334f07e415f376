//! The server under test: any program that a command line starts.

use std::fs::OpenOptions;
use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use tokio::net::TcpStream;
use tokio::process::{Child, Command};
use tokio::time::{Instant, sleep};

/// How long a start may take until the port is open.
const START_WITHIN: Duration = Duration::from_secs(20);
/// On a machine that does much else.
const END_WITHIN: Duration = Duration::from_secs(60);

/// A server that can be started, hurt and started again, on one port and one database.
pub struct Server {
    command: Vec<String>,
    address: SocketAddr,
    log: PathBuf,
    /// Set for the next start.
    variable: Option<(&'static str, String)>,
    child: Option<Child>,
}

impl Server {
    /// Chooses a port, and puts it and the database into the command where it says `{port}` and `{database}`.
    pub fn new(command: &[String], database: &Path, log: PathBuf) -> io::Result<Self> {
        // Free a moment ago, which on this machine has to be good enough.
        let address = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?;
        let fill = |word: &String| {
            word.replace("{port}", &address.port().to_string())
                .replace("{database}", &database.display().to_string())
        };
        Ok(Self {
            command: command.iter().map(fill).collect(),
            address,
            log,
            variable: None,
            child: None,
        })
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Starts the process and waits until it listens.
    pub async fn start(&mut self) -> io::Result<()> {
        self.spawn()?;
        let begun = Instant::now();
        while TcpStream::connect(self.address).await.is_err() {
            if let Some(status) = self.ended()? {
                return Err(self.failed(&format!("the server ended with {status}")));
            }
            if begun.elapsed() > START_WITHIN {
                return Err(self.failed("the server does not come up"));
            }
            sleep(Duration::from_millis(2)).await;
        }
        Ok(())
    }

    /// Puts a variable into the environment of the next start.
    pub fn set_variable(&mut self, name: &'static str, value: String) {
        self.variable = Some((name, value));
    }

    /// Starts the process, which is expected to end by itself; `None` if it does not.
    pub async fn start_in_vain(&mut self) -> io::Result<Option<ExitStatus>> {
        self.spawn()?;
        self.end().await
    }

    /// Waits for the process to end by itself; `None` if it does not within a minute.
    pub async fn end(&mut self) -> io::Result<Option<ExitStatus>> {
        let Some(child) = &mut self.child else {
            return Ok(None);
        };
        match tokio::time::timeout(END_WITHIN, child.wait()).await {
            Ok(status) => status.map(Some),
            Err(_) => Ok(None),
        }
    }

    /// Ends the process as a crash does.
    pub async fn kill(&mut self) -> io::Result<()> {
        if let Some(mut child) = self.child.take() {
            child.kill().await?;
        }
        Ok(())
    }

    /// Asks the process to end, and waits until it has.
    pub async fn terminate(&mut self) -> io::Result<ExitStatus> {
        self.signal(Signal::TERM)?;
        match self.child.take() {
            Some(mut child) => child.wait().await,
            None => Err(io::ErrorKind::NotFound.into()),
        }
    }

    /// Holds the process.
    pub fn stop(&self) -> io::Result<()> {
        self.signal(Signal::STOP)
    }

    /// Lets it go on.
    pub fn go_on(&self) -> io::Result<()> {
        self.signal(Signal::CONT)
    }

    /// Whether the process has ended by itself.
    pub fn ended(&mut self) -> io::Result<Option<ExitStatus>> {
        match &mut self.child {
            Some(child) => child.try_wait(),
            None => Ok(None),
        }
    }

    /// What it has said since the first start.
    pub fn said(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// Starts the process and waits for nothing.
    pub fn spawn(&mut self) -> io::Result<()> {
        let log = OpenOptions::new()
            .create(true)
            .append(true)
            .open(&self.log)?;
        let errors = log.try_clone()?;
        let [program, arguments @ ..] = &self.command[..] else {
            return Err(io::Error::other("no command to start a server by"));
        };
        let child = Command::new(program)
            .args(arguments)
            .envs(self.variable.take())
            .stdin(Stdio::null())
            .stdout(log)
            .stderr(errors)
            .kill_on_drop(true)
            .spawn()
            .map_err(|error| io::Error::other(format!("{program} cannot be started: {error}")))?;
        self.child = Some(child);
        Ok(())
    }

    fn signal(&self, signal: Signal) -> io::Result<()> {
        let pid = self.child.as_ref().and_then(Child::id);
        let pid = pid.and_then(|pid| Pid::from_raw(pid.cast_signed()));
        match pid {
            Some(pid) => Ok(kill_process(pid, signal)?),
            None => Err(io::Error::other("the server is not running")),
        }
    }

    fn failed(&self, what: &str) -> io::Error {
        io::Error::other(format!("{what}; it said:\n{}", self.said()))
    }
}
