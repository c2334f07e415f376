//! An answer to an append, as a line of text.

use std::fmt;

use event_log::{Epoch, Offset};

/// The event is durable, said the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    pub epoch: Epoch,
    pub author: u64,
    pub number: u64,
    pub offset: Offset,
}

impl Answer {
    /// Reads what `Display` wrote.
    pub fn parse(line: &str) -> Result<Self, String> {
        let wrong = || format!("{line:?} is no answer");
        let words: Vec<_> = line.split(' ').collect();
        let [epoch, author, number, offset] = words[..] else {
            return Err(wrong());
        };
        let parse = |word: &str| word.parse::<u64>().map_err(|_| wrong());
        Ok(Self {
            epoch: Epoch::parse(epoch).ok_or_else(wrong)?,
            author: parse(author)?,
            number: parse(number)?,
            offset: Offset(parse(offset)?),
        })
    }
}

impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            epoch,
            author,
            number,
            offset,
        } = self;
        write!(f, "{epoch} {author} {number} {offset}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_written_is_read_back() {
        let answer = Answer {
            epoch: Epoch::from_random([7; 15]),
            author: 1,
            number: 20,
            offset: Offset(300),
        };
        assert_eq!(Answer::parse(&answer.to_string()), Ok(answer));
        assert!(Answer::parse("1 20 300").is_err());
        assert!(Answer::parse("x 1 20 300").is_err());
    }
}
