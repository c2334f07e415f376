//! Records what a log writes and flushes, and opens every database that a loss of power could leave of it.
//!
//! ```text
//!  program ──► recorder.c ──► record ──► disk ──► loss ──► a folder ──► check
//!  (a log, and               (what was  (what is  (what      (as it        (the real store opens it,
//!   who appends)              done, in   certain)  the rest   would be      and what was answered
//!                             order)               becomes)   found)        is in it)
//! ```

#[cfg(target_os = "linux")]
mod answer;
#[cfg(target_os = "linux")]
mod check;
#[cfg(target_os = "linux")]
mod command;
#[cfg(target_os = "linux")]
mod disk;
#[cfg(target_os = "linux")]
mod loss;
#[cfg(target_os = "linux")]
mod options;
#[cfg(target_os = "linux")]
mod program;
#[cfg(target_os = "linux")]
mod record;
#[cfg(target_os = "linux")]
mod recorder;
#[cfg(target_os = "linux")]
mod replay;

#[cfg(target_os = "linux")]
fn main() -> std::process::ExitCode {
    command::main()
}

#[cfg(not(target_os = "linux"))]
fn main() -> std::process::ExitCode {
    eprintln!("the recorder is for Linux");
    std::process::ExitCode::FAILURE
}
