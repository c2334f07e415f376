//! The checks are checked: the chat is built with a fault planted in its log, and a run has to be red.

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use tokio::time::Instant;

use crate::checker::{self, Check, Verdict};
use crate::nemesis::Disaster;
use crate::{history, options, report, run};

/// Not a fault, but a way to end the process at a chosen place.
pub const CRASH: &str = "crash";

/// The features `sabotage-…` of the chat; `crates/event-log/src/sabotage.rs` says what each does.
pub const FAULTS: [&str; 8] = [
    "ack-before-commit",
    "publish-before-commit",
    "skip-ring-row",
    "no-dedup",
    "cursor-goes-back",
    "swap-rows",
    "idle-refusal",
    "silent-resync",
];

/// How long a fault may stay unseen.
const CAUGHT_WITHIN: Duration = Duration::from_secs(60);

/// Plants the faults, or all there are, one at a time; says whether each was caught.
pub async fn catch(faults: &[String]) -> io::Result<bool> {
    let chosen = FAULTS
        .iter()
        .filter(|fault| faults.is_empty() || faults.iter().any(|chosen| chosen == *fault));
    let (mut caught, mut missed) = (0, 0);
    for fault in chosen {
        let server = options::start(&build(fault)?);
        if until_red(fault, &server).await? {
            caught += 1;
        } else {
            missed += 1;
        }
        io::stdout().flush()?;
    }
    println!("# pass {caught}\n# fail {missed}");
    Ok(missed == 0)
}

/// Runs with one seed after the other until the fault is seen, and says by which, and how.
async fn until_red(fault: &str, server: &[String]) -> io::Result<bool> {
    let begun = Instant::now();
    // Only who comes from another history is to be told.
    let disasters = match fault {
        "silent-resync" => vec![Disaster::Restore],
        _ => Vec::new(),
    };
    let mut seed = 0;
    loop {
        seed += 1;
        let past = run::run(&options::quick(seed, server.to_vec(), &disasters)).await?;
        if let Some(why) = &past.broken_off {
            println!("{fault:<22} NOT CAUGHT: seed {seed} shows nothing");
            report::print_end(&past, why, io::stdout().lock())?;
            return Ok(false);
        }
        let verdict = checker::check(&past.history);
        if begun.elapsed() > CAUGHT_WITHIN {
            break;
        }
        if let Some(plainest) = verdict.plainest() {
            println!(
                "{fault:<22} caught in {:.1} s, by seed {seed}: {}",
                begun.elapsed().as_secs_f64(),
                broken(&verdict)
            );
            println!("  {}:", plainest.what);
            history::write(&plainest.excerpt(&past.history), io::stdout().lock())?;
            return Ok(true);
        }
    }
    println!(
        "{fault:<22} NOT CAUGHT within {} s, by the seeds 1 to {seed}",
        CAUGHT_WITHIN.as_secs()
    );
    Ok(false)
}

fn broken(verdict: &Verdict) -> String {
    let checks = Check::ALL.iter().filter(|check| verdict.count(**check) > 0);
    let named = checks.map(|check| format!("{check} ({} times)", verdict.count(*check)));
    format!("not so: {}", named.collect::<Vec<_>>().join("; "))
}

/// Builds the chat with a fault, in a folder of its own so that no other build is touched.
pub fn build(fault: &str) -> io::Result<PathBuf> {
    let root = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."));
    let own = std::env::current_exe()?;
    let target = own.ancestors().nth(2).unwrap_or(root).join("sabotage");
    let status = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
        .current_dir(root)
        .args([
            "build",
            "--quiet",
            "--package",
            "chat-app",
            "--no-default-features",
        ])
        .args(["--features", &format!("sabotage-{fault}"), "--target-dir"])
        .arg(&target)
        .status()?;
    if !status.success() {
        return Err(io::Error::other(format!(
            "the chat cannot be built with {fault}"
        )));
    }
    Ok(target.join("debug").join("chat-app"))
}
