//! A message that is damaged while the server runs: all before it is told as it was, then why nothing more comes.

use std::fs::{self, OpenOptions};
use std::io::{self, Seek, SeekFrom, Write};
use std::path::Path;

use super::spoil::beside;
use super::{Outcome, STORED, Ward, answer, key, next_message};
use crate::answer::Answer;
use crate::content::content_of;

/// How many messages come before the one that is damaged.
const DAMAGED: u64 = 150;

/// As many as the server may still hold in memory.
const IN_MEMORY: u64 = 1_100;

impl Ward {
    pub(super) async fn observe_damage(&mut self) -> io::Result<Outcome> {
        let Some(mut writer) = self.start().await? else {
            return Ok(Outcome::Refused);
        };
        let mut last = 0;
        for number in 0..IN_MEMORY {
            last = writer.say("one of many", &format!("many-{number}"));
        }
        match answer(&mut writer, last).await {
            Some(Answer::Stored(facts)) if facts.offset == Some(STORED + IN_MEMORY) => {}
            other => return Ok(Outcome::Wrong(format!("it answered {other:?}"))),
        }
        // A content begins with its key and a space, which no key has behind it.
        damage(&self.database, &format!("{} ", key(DAMAGED)))?;
        let mut reader = self.visit(Some(0), Some(self.epoch.clone())).await?;
        for number in 0..STORED {
            let expected = (number + 1, content_of(self.seed, &key(number)));
            match next_message(&mut reader).await {
                Ok(Some(message)) if message == expected && number < DAMAGED => {}
                Ok(None) if number == DAMAGED => return Ok(Outcome::SentAway),
                other => {
                    let what = format!("a reader who wants {} got {other:?}", number + 1);
                    return Ok(Outcome::Wrong(what));
                }
            }
        }
        Ok(Outcome::Wrong("nothing was damaged".to_owned()))
    }
}

/// Changes the first byte of this wherever it stands, in place, as the server has the files open.
fn damage(database: &Path, text: &str) -> io::Result<()> {
    let mut is_there = false;
    // An inner page of the table is written again whenever the table grows, so it may be in the log alone.
    for file in [database.to_owned(), beside(database, "-wal")] {
        let bytes = fs::read(&file)?;
        let mut file = OpenOptions::new().write(true).open(file)?;
        for place in 0..bytes.len() {
            if bytes[place..].starts_with(text.as_bytes()) {
                file.seek(SeekFrom::Start(place as u64))?;
                file.write_all(b"?")?;
                is_there = true;
            }
        }
    }
    match is_there {
        true => Ok(()),
        false => Err(io::Error::other("the message is in none of the files")),
    }
}
