//! What the servers have in common: their command line, and the runtimes they run on.

use std::{future::Future, io, time::Duration};

use clap::{Parser, ValueEnum};
use tokio::runtime::{Builder, Runtime};

/// A server to be measured.
#[derive(Debug, Parser)]
pub struct Options {
    /// The port to serve on, at 127.0.0.1
    #[arg(long)]
    pub port: u16,

    /// How many milliseconds are between two heartbeats
    #[arg(long, default_value_t = 25_000)]
    pub ping_interval: u64,

    /// The runtime to run on
    #[arg(long, value_enum, default_value_t = Form::Multi)]
    pub runtime: Form,
}

/// The forms of tokio's runtime.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub enum Form {
    /// The multi-thread runtime, with as many workers as there are cores to run on
    Multi,
    /// The current-thread runtime
    Current,
}

/// Runs a server, made of its port and the time between heartbeats, to its end on the runtime that the command line
/// asks for.
///
/// # Errors
///
/// If there is no runtime to be had, or the server ends with an error.
pub fn run<F>(server: impl FnOnce(u16, Duration) -> F) -> io::Result<()>
where
    F: Future<Output = io::Result<()>>,
{
    let options = Options::parse();
    let ping_interval = Duration::from_millis(options.ping_interval);
    runtime(options.runtime)?.block_on(server(options.port, ping_interval))
}

fn runtime(form: Form) -> io::Result<Runtime> {
    let mut builder = match form {
        Form::Multi => Builder::new_multi_thread(),
        Form::Current => Builder::new_current_thread(),
    };
    builder.enable_all().build()
}
