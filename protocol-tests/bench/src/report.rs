//! What is said at the end: the tables, what could not be measured, what chats have stored, and by what on what.

use crate::aims;
use crate::context;
use crate::options::Options;
use crate::outcome::Outcome;
use crate::scenario::Stored;
use crate::server::Server;
use crate::stats::grouped;
use crate::table;

/// A server that would have been measured, and is not there.
pub struct Absent {
    pub name: String,
    pub missing: String,
}

/// The whole report, as Markdown.
pub fn report(outcomes: &[Outcome], absent: &[Absent], context: &[String]) -> String {
    let mut parts = vec![table::table(outcomes)];
    let verdicts = aims::verdicts(outcomes);
    if !verdicts.is_empty() {
        parts.push(table::aims(&verdicts));
    }
    let mut notes = Vec::new();
    if !absent.is_empty() {
        let named: Vec<String> = absent
            .iter()
            .map(|it| format!("{} (there is no {})", it.name, it.missing))
            .collect();
        notes.push(format!("**Not measured**: {}.", named.join(", ")));
    }
    notes.extend(stored(outcomes));
    notes.extend(context.iter().cloned());
    parts.push(notes.iter().map(|note| format!("- {note}\n")).collect());
    parts.join("\n")
}

/// By what and where it was measured.
pub fn context(outcomes: &[Outcome], options: &Options) -> Vec<String> {
    let mut servers: Vec<&Server> = Vec::new();
    for row in outcomes.iter().flat_map(|outcome| &outcome.rows) {
        if !servers.iter().any(|server| server.name == row.server.name) {
            servers.push(&row.server);
        }
    }
    context::lines(&servers, &options.told(), options.cores())
}

/// Of each chat what it has acknowledged and stored, in all rounds and scenarios.
fn stored(outcomes: &[Outcome]) -> Vec<String> {
    let mut notes = Vec::new();
    for (outcome, row) in outcomes
        .iter()
        .flat_map(|outcome| outcome.rows.iter().map(move |row| (outcome, row)))
    {
        let stored: Vec<Stored> = row.rounds.iter().filter_map(|it| it.stored).collect();
        if stored.is_empty() {
            continue;
        }
        let acknowledged: u64 = stored.iter().map(|it| it.acknowledged).sum();
        let rows: Option<u64> = stored.iter().map(|it| it.rows).sum();
        let found = rows.map_or_else(
            || "**its database was not found, or not understood**".to_owned(),
            |rows| format!("{} rows in its database after a kill", grouped(rows as f64)),
        );
        let (scenario, name) = (outcome.scenario.name, &row.server.name);
        let acknowledged = grouped(acknowledged as f64);
        notes.push(format!(
            "{scenario}, {name}: {acknowledged} acknowledged, {found}."
        ));
    }
    let folder = std::env::temp_dir();
    if !notes.is_empty() && context::is_in_memory(&folder) {
        let folder = folder.display();
        notes.push(format!(
            "**The databases were in memory** ({folder} is a tmpfs), where a flush costs nothing; TMPDIR says where else."
        ));
    }
    notes
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::outcome::tests::{outcome, row};

    #[test]
    fn what_is_missing_and_what_was_stored_is_said_behind_the_tables() {
        let mut chat = row("chat-app", &[1.0, 2.0]);
        for round in &mut chat.rounds {
            round.stored = Some(Stored {
                acknowledged: 1_000,
                rows: Some(1_001),
            });
        }
        let mut memory = row("memory", &[1.0]);
        memory.rounds[0].stored = Some(Stored {
            acknowledged: 5,
            rows: None,
        });
        let absent = [Absent {
            name: "node".to_owned(),
            missing: "node_modules".to_owned(),
        }];
        let outcomes = [outcome("durable-50", vec![chat, memory])];
        let report = report(&outcomes, &absent, &["Machine: none.".to_owned()]);
        for line in [
            "- **Not measured**: node (there is no node_modules).",
            "- durable-50, chat-app: 2,000 acknowledged, 2,002 rows in its database after a kill.",
            "- durable-50, memory: 5 acknowledged, **its database was not found, or not understood**.",
            "- Machine: none.",
        ] {
            assert!(report.lines().any(|it| it == line), "{line}\n{report}");
        }
    }
}
