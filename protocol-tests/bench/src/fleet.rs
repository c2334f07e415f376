//! Many clients on one thread: opens them, waits for all at once, and closes them by being dropped.

use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::time::Duration;

use mio::{Events, Poll};

use crate::client::{Client, Dock, SLOTS, Transport};
use crate::clock::now;
use crate::player::{Nobody, Out, Player};

pub struct Fleet {
    address: SocketAddr,
    poll: Poll,
    events: Events,
    clients: Vec<Client>,
    ready: usize,
    scratch: Vec<u8>,
}

impl Fleet {
    /// Connects that many clients, of which at most `at_once` are connecting at a time, and waits until all are ready.
    pub fn open(
        address: SocketAddr,
        count: usize,
        transport: Transport,
        at_once: usize,
    ) -> io::Result<Self> {
        let mut fleet = Self {
            address,
            poll: Poll::new()?,
            events: Events::with_capacity(1024),
            clients: Vec::with_capacity(count),
            ready: 0,
            scratch: vec![0; 64 * 1024],
        };
        let begun = now();
        while fleet.ready < count {
            while fleet.clients.len() < count && fleet.clients.len() - fleet.ready < at_once {
                let dock = Dock {
                    address,
                    registry: fleet.poll.registry(),
                };
                let client = Client::open(fleet.clients.len(), transport, &dock)?;
                fleet.clients.push(client);
            }
            fleet.turn(Duration::from_millis(100), &mut Nobody)?;
            if begun.elapsed() > OPEN_WITHIN {
                let ready = fleet.ready;
                return Err(io::Error::other(format!(
                    "only {ready} of {count} clients came to be connected"
                )));
            }
        }
        Ok(fleet)
    }

    /// How many clients there are.
    pub fn len(&self) -> usize {
        self.clients.len()
    }

    /// Sends for one client.
    pub fn send(&mut self, client: usize, fill: impl FnOnce(&mut Out<'_>)) -> io::Result<()> {
        self.clients[client].send(fill)
    }

    /// Waits for something to happen, for that long at most, and hands out all that has arrived.
    pub fn turn(&mut self, wait: Duration, player: &mut dyn Player) -> io::Result<()> {
        match self.poll.poll(&mut self.events, Some(wait)) {
            Err(error) if error.kind() == ErrorKind::Interrupted => return Ok(()),
            result => result?,
        }
        let dock = Dock {
            address: self.address,
            registry: self.poll.registry(),
        };
        for event in &self.events {
            let (index, slot) = (event.token().0 / SLOTS, event.token().0 % SLOTS);
            let Some(client) = self.clients.get_mut(index) else {
                continue;
            };
            let was_ready = client.is_ready();
            client
                .on_event(slot, event.is_readable(), &dock, &mut self.scratch, player)
                .map_err(|error| {
                    io::Error::new(error.kind(), format!("client {index}: {error}"))
                })?;
            self.ready += usize::from(client.is_ready() && !was_ready);
        }
        Ok(())
    }

    /// Serves the clients for some time, in which nothing is sent but what answers what comes.
    pub fn rest(&mut self, time: Duration, player: &mut dyn Player) -> io::Result<()> {
        let end = now() + time;
        while let Some(left) = end.checked_duration_since(now()) {
            self.turn(left, player)?;
        }
        Ok(())
    }
}

const OPEN_WITHIN: Duration = Duration::from_secs(60);
