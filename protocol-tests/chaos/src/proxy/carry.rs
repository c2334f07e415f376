//! One connection through the proxy: both ways in one task, with the harm that its plan says.

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::net::tcp::{ReadHalf, WriteHalf};

use super::Shared;
use super::plan::{Harm, Kind, Plan, Way};

/// How one way of a connection ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    /// Its source has ended, and its destination was told.
    Eof,
    /// Both ways end with it, and both sides see an end or a break.
    Fin,
    Reset,
}

/// How long the other way may go on after one has ended.
const HALF_OPEN: Duration = Duration::from_secs(2);

/// How many pieces are dribbled.
const DRIBBLES: u32 = 300;

/// How much is sent at once where there is not much room.
const NARROW: usize = 64;

/// Where the first line of a request ends at the latest.
const FIRST_LINE: usize = 4_096;

/// Carries bytes until one side is over, or the plan for a connection of its kind.
pub async fn carry(mut client: TcpStream, mut server: TcpStream, shared: &Shared) {
    let _ = client.set_nodelay(true);
    let _ = server.set_nodelay(true);
    let mut first = Vec::new();
    let Ok(kind) = kind(&mut client, &mut first).await else {
        return;
    };
    let plan = shared.plan(kind);
    let end = {
        let (from_client, to_client) = client.split();
        let (from_server, to_server) = server.split();
        let hole = AtomicBool::new(false);
        let pump = |way, from, to| Pump {
            from,
            to,
            plan: plan.clone().filter(|plan| plan.way == way),
            hole: &hole,
            shared,
            delay: Duration::ZERO,
            dribbles: 0,
            rate: None,
        };
        let mut up = std::pin::pin!(pump(Way::Up, from_client, to_server).run(&first));
        let mut down = std::pin::pin!(pump(Way::Down, from_server, to_client).run(&[]));
        let (end, other) = tokio::select! {
            end = &mut up => (end, Way::Down),
            end = &mut down => (end, Way::Up),
        };
        if end == End::Eof {
            let rest = async {
                match other {
                    Way::Up => up.await,
                    Way::Down => down.await,
                }
            };
            tokio::time::timeout(HALF_OPEN, rest)
                .await
                .unwrap_or(End::Fin)
        } else {
            end
        }
    };
    if end == End::Reset {
        reset(&client);
        reset(&server);
    }
}

/// Reads until it shows what the connection is for.
async fn kind(client: &mut TcpStream, first: &mut Vec<u8>) -> io::Result<Kind> {
    loop {
        if let Some(kind) = Kind::of(first) {
            return Ok(kind);
        }
        if first.len() > FIRST_LINE || client.read_buf(first).await? == 0 {
            return Ok(Kind::Other);
        }
    }
}

/// The peer will see a reset and not an end when this is dropped.
pub fn reset(stream: &TcpStream) {
    let _ = stream.set_zero_linger();
}

/// One way of a connection.
struct Pump<'a> {
    from: ReadHalf<'a>,
    to: WriteHalf<'a>,
    plan: Option<Plan>,
    /// Set by either way: nothing gets through any more.
    hole: &'a AtomicBool,
    shared: &'a Shared,
    delay: Duration,
    dribbles: u32,
    /// Bytes a second.
    rate: Option<u64>,
}

impl Pump<'_> {
    /// Carries what was read already, and everything behind it.
    async fn run(mut self, first: &[u8]) -> End {
        self.pump(first).await.unwrap_or(End::Reset)
    }

    async fn pump(&mut self, first: &[u8]) -> io::Result<End> {
        if let Some(end) = self.take(first).await? {
            return Ok(end);
        }
        let mut buffer = vec![0; 4_096];
        loop {
            let read = self.from.read(&mut buffer).await?;
            if read == 0 {
                self.to.shutdown().await?;
                return Ok(End::Eof);
            }
            if let Some(end) = self.take(&buffer[..read]).await? {
                return Ok(end);
            }
        }
    }

    /// Passes bytes on, and does harm where its place is; says if that is the end.
    async fn take(&mut self, bytes: &[u8]) -> io::Result<Option<End>> {
        let reached = match &mut self.plan {
            Some(plan) if !self.shared.is_calm() => plan.trigger.feed(bytes),
            _ => None,
        };
        let Some((place, plan)) = reached.zip(self.plan.take_if(|_| reached.is_some())) else {
            self.forward(bytes).await?;
            return Ok(None);
        };
        self.shared.note(&plan);
        self.forward(&bytes[..place]).await?;
        if let Some(end) = self.harm(plan.harm).await? {
            return Ok(Some(end));
        }
        self.forward(&bytes[place..]).await?;
        Ok(None)
    }

    async fn harm(&mut self, harm: Harm) -> io::Result<Option<End>> {
        match harm {
            Harm::Fin => return Ok(Some(End::Fin)),
            Harm::Reset => return Ok(Some(End::Reset)),
            Harm::HalfClose => {
                self.to.shutdown().await?;
                return Ok(Some(End::Eof));
            }
            Harm::BlackHole(time) => {
                self.hole.store(true, Ordering::Relaxed);
                self.pause(time).await;
                return Ok(Some(End::Reset));
            }
            Harm::Stall(time) => self.pause(time).await,
            Harm::Delay(time) => self.delay = time,
            Harm::Dribble => self.dribbles = DRIBBLES,
            Harm::Narrow(rate) => self.rate = Some(rate),
        }
        Ok(None)
    }

    async fn forward(&mut self, bytes: &[u8]) -> io::Result<()> {
        let mut rest = bytes;
        while !rest.is_empty() {
            if self.hole.load(Ordering::Relaxed) {
                // The other way breaks the connection off when it is time.
                std::future::pending::<()>().await;
            }
            if self.shared.is_calm() {
                (self.delay, self.dribbles, self.rate) = (Duration::ZERO, 0, None);
            }
            if !self.delay.is_zero() {
                self.pause(self.delay).await;
            }
            let mut piece = rest.len();
            if self.dribbles > 0 {
                self.dribbles -= 1;
                piece = piece.min(1 + self.dribbles as usize % 7);
                self.pause(Duration::from_millis(1)).await;
            }
            if let Some(rate) = self.rate {
                piece = piece.min(NARROW);
                self.pause(Duration::from_micros(
                    piece as u64 * 1_000_000 / rate.max(1),
                ))
                .await;
            }
            self.to.write_all(&rest[..piece]).await?;
            rest = &rest[piece..];
        }
        Ok(())
    }

    /// Waits for so long, or until the weather is calm.
    async fn pause(&self, time: Duration) {
        let mut calm = self.shared.calm.subscribe();
        tokio::select! {
            () = tokio::time::sleep(time) => {}
            _ = calm.wait_for(|calm| *calm) => {}
        }
    }
}
