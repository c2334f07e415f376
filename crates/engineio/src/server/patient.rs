//! `Patient`: a connection whose peer may take its time, but must take something now and then.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    time::Sleep,
};

use super::workers::Place;

/// What is written in parts, such as the head and the body of a response, is joined up to this many bytes: to copy them takes
/// the system less time than to gather them.
const JOINED: usize = 2048;

/// Fails a write when the peer has taken no byte for too long.
pub(super) struct Patient<S> {
    stream: S,
    patience: Duration,
    /// Runs while a write is blocked.
    deadline: Option<Pin<Box<Sleep>>>,
    /// Among the connections of a worker, also when it has become a WebSocket.
    _place: Option<Place>,
}

impl<S> Patient<S> {
    pub(super) fn new(stream: S, patience: Duration, place: Option<Place>) -> Self {
        Self {
            stream,
            patience,
            deadline: None,
            _place: place,
        }
    }

    fn watch<T>(
        &mut self,
        context: &mut Context<'_>,
        written: Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        if written.is_ready() {
            self.deadline = None;
            return written;
        }
        let patience = self.patience;
        let deadline = self
            .deadline
            .get_or_insert_with(|| Box::pin(tokio::time::sleep(patience)));
        ready!(deadline.as_mut().poll(context));
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Patient<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Patient<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        data: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(context, data);
        self.watch(context, written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        data: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let length = data.iter().map(|part| part.len()).sum();
        let mut whole = [0; JOINED];
        let Some(joined) = whole.get_mut(..length) else {
            let written = Pin::new(&mut self.stream).poll_write_vectored(context, data);
            return self.watch(context, written);
        };
        let mut rest = &mut *joined;
        for part in data {
            let (place, others) = rest.split_at_mut(part.len());
            place.copy_from_slice(part);
            rest = others;
        }
        self.poll_write(context, joined)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = Pin::new(&mut self.stream).poll_flush(context);
        self.watch(context, flushed)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let shut = Pin::new(&mut self.stream).poll_shutdown(context);
        self.watch(context, shut)
    }
}

#[cfg(test)]
mod tests {
    use tokio::{io::AsyncWriteExt, time::Instant};

    use super::*;

    const PATIENCE: Duration = Duration::from_secs(15);

    #[tokio::test(start_paused = true)]
    async fn a_peer_that_takes_nothing_is_given_up() {
        let (stream, _peer) = tokio::io::duplex(4);
        let mut stream = Patient::new(stream, PATIENCE, None);
        let start = Instant::now();
        let error = stream.write_all(b"more than fits").await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        assert_eq!(start.elapsed(), PATIENCE);
    }

    #[tokio::test]
    async fn parts_arrive_in_order_whether_they_are_joined_or_not() {
        use tokio::io::AsyncReadExt;

        for sizes in [
            &[][..],
            &[1],
            &[1, 0, 2],
            &[JOINED - 3, 3],
            &[JOINED - 3, 4],
            &[5_000, 1],
        ] {
            let parts: Vec<Vec<u8>> = (1..)
                .zip(sizes)
                .map(|(byte, &size)| vec![byte; size])
                .collect();
            let (stream, mut peer) = tokio::io::duplex(10_000);
            let mut stream = Patient::new(stream, PATIENCE, None);
            let slices: Vec<_> = parts.iter().map(|part| io::IoSlice::new(part)).collect();
            let written = stream.write_vectored(&slices).await.unwrap();
            assert_eq!(written, parts.concat().len());
            drop(stream);
            let mut arrived = Vec::new();
            peer.read_to_end(&mut arrived).await.unwrap();
            assert_eq!(arrived, parts.concat());
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_peer_that_takes_a_little_now_and_then_is_waited_for() {
        use tokio::io::AsyncReadExt;

        let (stream, mut peer) = tokio::io::duplex(1);
        let mut stream = Patient::new(stream, PATIENCE, None);
        let reader = tokio::spawn(async move {
            let mut byte = [0];
            for _ in 0..8 {
                tokio::time::sleep(PATIENCE - Duration::from_secs(1)).await;
                peer.read_exact(&mut byte).await.unwrap();
            }
            peer
        });
        stream.write_all(b"slowly").await.unwrap();
        reader.abort();
    }
}
