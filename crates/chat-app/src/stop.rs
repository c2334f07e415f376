//! The orderly stop of a chat: what SIGTERM begins.

use std::time::Duration;

use event_log::StoreError;
use socketio::Server;

use crate::chat::Chat;

/// At this pace visitors are sent away, so that they do not all come back in the first moment of the next start.
const DRAIN_PER_SESSION: Duration = Duration::from_millis(1);

/// More of them go faster, as nobody is served until that start.
const MAX_DRAIN: Duration = Duration::from_secs(5);

/// Takes no more visitors, sends those there are away little by little, stores and answers what was said, and ends
/// serving, which returns soon after.
///
/// # Errors
///
/// If the log could not be closed properly. All else is done all the same.
pub async fn stop(io: &Server, chat: &Chat) -> Result<(), StoreError> {
    let sessions = u32::try_from(io.engine().clients_count()).unwrap_or(u32::MAX);
    io.drain(DRAIN_PER_SESSION.saturating_mul(sessions).min(MAX_DRAIN))
        .await;
    let closed = chat.close().await;
    io.close().await;
    closed
}
