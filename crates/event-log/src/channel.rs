//! A channel as a sink: frames to a task, and at their end the reason.

use std::sync::{Arc, OnceLock};

use tokio::sync::mpsc;
use tokio::sync::mpsc::error::TrySendError;

use crate::{End, Frame, Offered, Offset, Room, Sink};

/// A channel with room for `capacity` frames: the sink of one subscription, and where its frames come out.
///
/// The log waits while the channel is full, and goes on when there is room: what is slow here holds up nobody else.
///
/// ```
/// use event_log::memory::MemoryStore;
/// use event_log::{Config, End, Epoch, Log, Offset, channel};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let epoch = Epoch::from_random([1; 15]);
/// let log = Log::open(MemoryStore::new(epoch), Config::default(), |event| event.offset)?;
/// let (sink, mut frames) = channel(16);
/// let _following = log.subscribe("parcels", Offset::ZERO, sink)?;
/// log.close().await?;
/// assert_eq!(frames.recv().await, None);
/// assert_eq!(frames.end(), Some(End::Closed));
/// # Ok(())
/// # }
/// ```
///
/// # Panics
///
/// If `capacity` is 0.
#[must_use]
pub fn channel<F: Frame>(capacity: usize) -> (ChannelSink<F>, Frames<F>) {
    let (sender, receiver) = mpsc::channel(capacity);
    let end = Arc::new(OnceLock::new());
    let sink = ChannelSink {
        sender,
        end: Arc::clone(&end),
    };
    (sink, Frames { receiver, end })
}

/// The sink of a [`channel`]: full when it has no room, closed when its [`Frames`] are dropped.
#[derive(Debug)]
pub struct ChannelSink<F> {
    sender: mpsc::Sender<F>,
    end: Arc<OnceLock<End>>,
}

/// Where the frames of a [`channel`] come out. Dropping it ends the subscription with its next event.
#[derive(Debug)]
pub struct Frames<F> {
    receiver: mpsc::Receiver<F>,
    end: Arc<OnceLock<End>>,
}

impl<F: Frame> Frames<F> {
    /// The next frame; `None` when all were taken and the subscription is over, for the reason that [`end`](Self::end)
    /// gives.
    ///
    /// Cancel safe: a frame that was not returned is returned by the next call.
    pub async fn recv(&mut self) -> Option<F> {
        self.receiver.recv().await
    }

    /// Why the log has ended the subscription. `None` if it has not: the subscription goes on, or was dropped.
    ///
    /// Frames that were offered before the end may still be there to be taken.
    #[must_use]
    pub fn end(&self) -> Option<End> {
        self.end.get().copied()
    }
}

impl<F: Frame> Sink<F> for ChannelSink<F> {
    fn offer(&self, _: Offset, frame: &F) -> Offered {
        match self.sender.try_send(frame.clone()) {
            Ok(()) => Offered::Taken,
            Err(TrySendError::Full(_)) => Offered::Full,
            Err(TrySendError::Closed(_)) => Offered::Closed,
        }
    }

    fn room(&self) -> Room<'_> {
        Box::pin(async {
            // The permit is given back at once: the only sender offers again right after.
            let _ = self.sender.reserve().await;
        })
    }

    fn end(&self, end: End) {
        // There is one end only. It is there before the sender is gone, hence before `None` is received.
        let _ = self.end.set(end);
    }
}
