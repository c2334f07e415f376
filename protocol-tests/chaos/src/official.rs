//! The official client takes part: a Node child that writes with an outbox and reads with a cursor.

use std::io;
use std::path::PathBuf;
use std::process::Stdio;
use std::sync::Arc;

use serde_json::json;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::process::Command;

use crate::world::{Phase, World};

/// The child's program.
fn program() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/node/client.mjs"))
}

/// Runs a child until the run is over; its lines become part of the history.
pub async fn take_part(world: Arc<World>, name: String, think: u64) -> io::Result<()> {
    let options = json!({
        "url": format!("http://{}", world.proxy),
        "name": name,
        "seed": world.seed.to_string(),
        "clientId": world.client_id(&name),
        "think": think,
    });
    let mut child = Command::new("node")
        .arg(program())
        .arg(options.to_string())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .map_err(|error| io::Error::other(format!("node cannot be started: {error}")))?;
    let (Some(mut input), Some(output)) = (child.stdin.take(), child.stdout.take()) else {
        return Err(io::ErrorKind::BrokenPipe.into());
    };
    let mut lines = BufReader::new(output).lines();
    let mut phase = world.phase.subscribe();
    loop {
        tokio::select! {
            line = lines.next_line() => match line? {
                Some(line) => world.history.push(serde_json::from_str(&line)?),
                None => break,
            },
            changed = phase.changed() => {
                let now = *phase.borrow_and_update();
                let word = match now {
                    Phase::Storm => "storm",
                    Phase::Drain => "drain",
                    Phase::Done => "done",
                };
                if changed.is_err() {
                    break;
                }
                input.write_all(format!("{word}\n").as_bytes()).await?;
            }
        }
    }
    let status = child.wait().await?;
    if status.success() {
        Ok(())
    } else {
        Err(io::Error::other(format!(
            "the official client ended with {status}"
        )))
    }
}
