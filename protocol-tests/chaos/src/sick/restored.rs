//! A folder that was restored with everything in it looks as it did when it was copied, and goes on under its old name.
//! So the server cannot know it, and whoever has more than the copy has to be told all the same.

use std::io;

use tokio::time::timeout;

use super::{BACKED_UP, Outcome, SILENCE, STORED, Ward, answer, key, next_message};
use crate::answer::Answer;
use crate::client::{Incoming, Session};
use crate::content::content_of;

impl Ward {
    /// Goes on behind the copy, past where the history had come, and looks what is said to those who were there.
    pub(super) async fn observe_set_back(&mut self) -> io::Result<Outcome> {
        let Some(ahead) = self.start().await? else {
            return Ok(Outcome::Refused);
        };
        if let Err(what) = is_told(ahead, "who is ahead of the copy").await {
            return Ok(Outcome::Wrong(what));
        }
        let again = BACKED_UP..STORED + 5;
        let mut writer = self.visit(None, None).await?;
        for number in again.clone() {
            let wanted = writer.say("another message", &format!("again-{number}"));
            match answer(&mut writer, wanted).await {
                Some(Answer::Stored(facts)) if facts.offset == Some(number + 1) => {}
                other => return Ok(Outcome::Wrong(format!("it answered {other:?}"))),
            }
        }
        for lost in [BACKED_UP + 1, STORED - 1, STORED] {
            let reader = self.visit(Some(lost), Some(self.epoch.clone())).await?;
            let who = format!("who has seen {lost} of what is lost");
            if let Err(what) = is_told(reader, &who).await {
                return Ok(Outcome::Wrong(what));
            }
        }
        let kept = BACKED_UP - 2;
        let mut reader = self.visit(Some(kept), Some(self.epoch.clone())).await?;
        for number in kept..again.end {
            let content = match number < BACKED_UP {
                true => content_of(self.seed, &key(number)),
                false => "another message".to_owned(),
            };
            match next_message(&mut reader).await {
                Ok(Some(message)) if message == (number + 1, content) => {}
                other => {
                    let what = format!("who has {kept} wants {} and got {other:?}", number + 1);
                    return Ok(Outcome::Wrong(what));
                }
            }
        }
        Ok(Outcome::Prefix)
    }
}

/// Expects that somebody has to start anew, and is told so before any message.
async fn is_told(mut session: Session, who: &str) -> Result<(), String> {
    let first = async {
        loop {
            match session.next().await {
                Some(Incoming::Resync { .. }) => return Ok(()),
                Some(Incoming::Message { offset, .. }) => {
                    return Err(format!("was given {offset}"));
                }
                Some(_) => {}
                None => return Err("was sent away".to_owned()),
            }
        }
    };
    let silence = |_| Err("is told nothing".to_owned());
    let told = timeout(SILENCE, first).await.unwrap_or_else(silence);
    told.map_err(|what| format!("{who} {what}"))
}
