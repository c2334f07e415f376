//! Model checks: what threads can do to each other in here, in every order, and with every value that an atomic may show.
//!
//! A model is a handful of threads that call the real code. loom runs it again and again, until every order was tried in
//! which the threads can meet, with up to so many switches at places where a thread could have gone on.
//! A notification that is lost shows as a thread that waits for ever, which fails the model as any wrong answer does.

#![allow(clippy::unwrap_used, reason = "in a test that is how a failure shows")]

mod inbox;
mod stream;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use loom::model::Builder;

/// Tries all orders with at most so many switches that no thread asked for.
///
/// Where 3 take minutes, a model asks for 2; `LOOM_MAX_PREEMPTIONS` has it tried with another number.
fn every_order(switches: usize, model: impl Fn() + Send + Sync + 'static) {
    let orders = Arc::new(AtomicUsize::new(0));
    let mut builder = Builder::new();
    builder.preemption_bound = builder.preemption_bound.or(Some(switches));
    builder.max_branches = 10_000;
    builder.check({
        let orders = Arc::clone(&orders);
        move || {
            orders.fetch_add(1, Ordering::Relaxed);
            model();
        }
    });
    let orders = orders.load(Ordering::Relaxed);
    println!("{orders} orders");
    assert!(orders > 1, "nothing meets in this model");
}
