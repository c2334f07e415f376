//! Histories with refusals: each with its reason, and some in which nothing explains one.

use super::*;

impl Story {
    /// The last attempt is refused for the moment.
    fn put_off(self, key: &str, reason: &str) -> Self {
        self.add(
            author_of(key),
            Op::Try,
            Kind::Fail,
            key,
            Facts::what(reason),
        )
    }

    fn fault(self, kind: Kind, what: &str) -> Self {
        self.add("nemesis", Op::Fault, kind, "", Facts::what(what))
    }

    fn starts(self) -> Self {
        self.add("nemesis", Op::Start, Kind::Ok, "", Facts::what("start"))
    }

    /// Something else is said under the key of a message, or the same.
    fn says_again(self, key: &str, hash: u32) -> Self {
        let value = Facts {
            hash: Some(hash),
            ..Facts::default()
        };
        self.add(author_of(key), Op::Again, Kind::Invoke, key, value)
    }

    fn refused_again(self, key: &str, reason: &str) -> Self {
        let value = Facts::what(reason);
        self.add(author_of(key), Op::Again, Kind::Fail, key, value)
    }

    /// After its attempts a message is stored.
    fn stored_late(self, key: &str) -> Story {
        self.tries(key).acked(key, 1).rows(&[(1, key)])
    }
}

/// A message that is put off, with something that was done before.
fn put_off(cause: &str, is_over_for: Option<u64>, reason: &str) -> Story {
    let mut story = Story::default().fault(Kind::Invoke, cause);
    if let Some(milliseconds) = is_over_for {
        story = story.fault(Kind::Ok, cause).wait(milliseconds);
    }
    story.sends("a-0").put_off("a-0", reason).stored_late("a-0")
}

#[test]
fn what_is_put_off_while_something_explains_it_is_good() {
    for (cause, reason) in [
        ("lock", "busy"),
        ("full queue", "busy"),
        ("full disk", "unavailable"),
        ("failing store", "unavailable"),
        ("orderly stop", "unavailable"),
    ] {
        assert_eq!(put_off(cause, None, reason).good().counts.put_off, 1);
        // An answer may be late.
        put_off(cause, Some(4_000), reason).good();
        let story = Story::default().sends("a-0").fault(Kind::Info, cause);
        story.put_off("a-0", reason).stored_late("a-0").good();
    }
}

#[test]
fn a_refusal_that_nothing_explains_is_wrong() {
    for reason in ["busy", "unavailable"] {
        let story = Story::default().sends("a-0").put_off("a-0", reason);
        story.stored_late("a-0").breaks(Check::Refusals);
    }
    put_off("lock", None, "unavailable").breaks(Check::Refusals);
    put_off("full disk", None, "busy").breaks(Check::Refusals);
    put_off("hold", None, "busy").breaks(Check::Refusals);
    put_off("lock", Some(5_001), "busy").breaks(Check::Refusals);
    let story = Story::default().fault(Kind::Info, "lock").sends("a-0");
    let story = story.put_off("a-0", "busy").stored_late("a-0");
    story.breaks(Check::Refusals);
    let early = Story::default().sends("a-0").put_off("a-0", "busy");
    let early = early.fault(Kind::Invoke, "lock").stored_late("a-0");
    early.breaks(Check::Refusals);
}

#[test]
fn a_server_that_was_started_since_has_no_cause_to_refuse() {
    let over = || {
        let story = Story::default().fault(Kind::Invoke, "full disk");
        story.fault(Kind::Ok, "full disk")
    };
    let story = over().starts().sends("a-0").put_off("a-0", "unavailable");
    story.stored_late("a-0").breaks(Check::Refusals);
    // By the server before it.
    let story = over().sends("a-0").starts().put_off("a-0", "unavailable");
    story.stored_late("a-0").good();
    // What is not over is there for the next server too.
    let story = Story::default().fault(Kind::Invoke, "lock").starts();
    let story = story.sends("a-0").put_off("a-0", "busy");
    story.stored_late("a-0").good();
}

#[test]
fn a_reason_that_is_none_of_the_chat_is_wrong() {
    put_off("lock", None, "tired").breaks(Check::Refusals);
    // It may be tried again, and so it is not for good.
    put_off("lock", None, "invalid").breaks(Check::Refusals);
}

#[test]
fn a_good_message_is_not_refused_for_good() {
    let story = || Story::default().sends("a-0");
    story().refused("a-0").rows(&[]).breaks(Check::Refusals);
    for reason in ["conflict", "busy"] {
        let mut story = story().refused("a-0");
        story.0.last_mut().expect("a refusal").value = Facts::what(reason);
        story.rows(&[]).breaks(Check::Refusals);
    }
}

#[test]
fn only_other_content_is_a_conflict() {
    let story = |hash| Story::default().stores("a-0").says_again("a-0", hash);
    let again = |hash, reason| story(hash).refused_again("a-0", reason).rows(&[A0]);
    again(1, "conflict").good();
    again(hash_of("a-0"), "conflict").breaks(Check::Refusals);
    again(1, "invalid").breaks(Check::Refusals);
    again(1, "busy").breaks(Check::Refusals);
    let story = Story::default().stores("a-0").fault(Kind::Invoke, "lock");
    let story = story.says_again("a-0", 1).refused_again("a-0", "busy");
    story.rows(&[A0]).good();
}
