//! A connection on long-polling, and its upgrade.
//!
//! A GET is always in flight, on a connection that is kept; each POST has a connection of its own, so that requests
//! overtake each other as those of browsers do. For an upgrade, a WebSocket is probed beside them; then no request is
//! begun any more, and when the last has ended the upgrade is said.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;

use super::http::Http;
use super::websocket::{self, Stream};
use super::wire::{Engine, sid};
use super::{Ends, broken};

/// Between the packets of a payload.
const SEPARATOR: char = '\u{1e}';

pub struct Polling {
    server: SocketAddr,
    path: String,
    sid: String,
    get: Http,
}

type Work<T> = Pin<Box<dyn Future<Output = io::Result<T>> + Send>>;

/// What is going on at the same time.
struct Traffic {
    get: Option<Work<(Http, String)>>,
    post: Option<Work<()>>,
    probe: Option<Work<Stream>>,
    /// Probed; nothing new begins on polling.
    upgraded: Option<Stream>,
}

impl Polling {
    pub async fn open(server: SocketAddr) -> io::Result<Self> {
        let mut get = Http::open(server).await?;
        let path = "/socket.io/?EIO=4&transport=polling".to_owned();
        let payload = get.request(&path, None).await?;
        let first = payload.split(SEPARATOR).next().and_then(Engine::parse);
        let Some(Engine::Open(open)) = first else {
            return Err(broken("the session does not begin with an open packet"));
        };
        let sid = sid(open).ok_or_else(|| broken("an open packet without an id"))?;
        Ok(Self {
            server,
            path: format!("{path}&sid={sid}"),
            sid,
            get,
        })
    }

    /// Carries messages until either side is over.
    pub async fn run(self, ends: Ends, upgrade: bool) {
        // Whatever went wrong, the line ends; that is all its owner needs to know.
        let _ = self.carry(ends, upgrade).await;
    }

    async fn carry(self, mut ends: Ends, upgrade: bool) -> io::Result<()> {
        let Self {
            server,
            path,
            sid,
            get,
        } = self;
        let mut traffic = Traffic {
            get: Some(poll(get, path.clone())),
            post: None,
            probe: upgrade.then(|| probe(server, sid)),
            upgraded: None,
        };
        let mut pongs = 0_u32;
        loop {
            if traffic.upgraded.is_some() && traffic.get.is_none() && traffic.post.is_none() {
                if let Some(mut stream) = traffic.upgraded.take() {
                    websocket::say(&mut stream, "5".to_owned()).await?;
                    for _ in 0..pongs {
                        websocket::say(&mut stream, "3".to_owned()).await?;
                    }
                    websocket::run(stream, ends).await;
                }
                return Ok(());
            }
            let may_post = traffic.post.is_none() && traffic.upgraded.is_none();
            if may_post && pongs > 0 {
                pongs -= 1;
                traffic.post = Some(post(server, path.clone(), "3".to_owned()));
                continue;
            }
            tokio::select! {
                payload = ready(&mut traffic.get) => {
                    let (http, payload) = payload?;
                    pongs += deliver(&ends, &payload).await?;
                    if traffic.upgraded.is_none() {
                        traffic.get = Some(poll(http, path.clone()));
                    }
                }
                posted = ready(&mut traffic.post) => posted?,
                // A probe that fails leaves polling as it is.
                probed = ready(&mut traffic.probe) => traffic.upgraded = probed.ok(),
                message = ends.outgoing.recv(), if may_post => match message {
                    Some(message) => traffic.post = Some(post(server, path.clone(), format!("4{message}"))),
                    None => return Ok(()),
                },
            }
        }
    }
}

/// The result of what is going on, which is over then; never, if nothing is.
async fn ready<T>(work: &mut Option<Work<T>>) -> io::Result<T> {
    match work {
        Some(running) => {
            let result = running.await;
            *work = None;
            result
        }
        None => std::future::pending().await,
    }
}

fn poll(mut http: Http, path: String) -> Work<(Http, String)> {
    Box::pin(async move {
        let payload = http.request(&path, None).await?;
        Ok((http, payload))
    })
}

fn post(server: SocketAddr, path: String, packet: String) -> Work<()> {
    Box::pin(async move {
        let mut http = Http::open(server).await?;
        http.request(&path, Some(&packet)).await.map(drop)
    })
}

fn probe(server: SocketAddr, sid: String) -> Work<Stream> {
    Box::pin(async move {
        let mut stream = websocket::open(server, Some(&sid)).await?;
        websocket::say(&mut stream, "2probe".to_owned()).await?;
        let answer = websocket::next(&mut stream).await?;
        match Engine::parse(&answer) {
            Some(Engine::Pong("probe")) => Ok(stream),
            _ => Err(broken("the probe is not answered")),
        }
    })
}

/// Hands over the messages of a payload, and returns how many pings were among them.
async fn deliver(ends: &Ends, payload: &str) -> io::Result<u32> {
    let mut pings = 0;
    for text in payload.split(SEPARATOR) {
        match Engine::parse(text) {
            Some(Engine::Message(message)) => {
                let taken = ends.incoming.send(message.to_owned()).await;
                taken.map_err(|_| broken("nobody listens"))?;
            }
            Some(Engine::Ping) => pings += 1,
            Some(Engine::Noop) => {}
            _ => return Err(broken("an unexpected packet")),
        }
    }
    Ok(pings)
}
