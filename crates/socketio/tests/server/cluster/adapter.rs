//! An adapter for a cluster whose nodes share nothing but a network of bytes.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use futures_util::{StreamExt, stream};
use socketio::{
    AckError, AnswerFrom, Args, Config, Server,
    encode::Draft,
    rooms::{Room, Target},
    server::adapter::{
        Adapter, AdapterError, AdapterFactory, BoxFuture, BoxStream, LocalAdapter, SocketDetails,
    },
};
use tokio::{
    sync::mpsc,
    task::AbortHandle,
    time::{Instant, timeout_at},
};

use super::wire::{Envelope, Message, NodeId, Request, Response, WireEvent, names, rooms};

/// Delivers bytes to nodes. A node is one namespace of one server.
#[derive(Default)]
pub struct Network {
    last_id: AtomicU64,
    nodes: Mutex<Vec<Port>>,
}

struct Port {
    id: NodeId,
    namespace: String,
    inbox: mpsc::UnboundedSender<Vec<u8>>,
    /// Whether it is cut off: what it is sent is lost.
    is_silent: bool,
}

impl Network {
    /// A server with the rest of the network as its cluster.
    pub fn server(self: &Arc<Self>) -> Server {
        self.server_with(Config::default())
    }

    pub fn server_with(self: &Arc<Self>, config: Config) -> Server {
        let network = self.clone();
        Server::with_config(Config {
            adapter: Some(AdapterFactory::new(move |local| {
                Arc::new(Node::new(network.clone(), local))
            })),
            ..config
        })
    }

    /// From now on the node that has joined last gets nothing any more.
    pub fn silence_last(&self) {
        let mut nodes = self.nodes.lock().unwrap();
        nodes.last_mut().unwrap().is_silent = true;
    }

    /// The namespaces that are there, one for each node.
    pub fn namespaces(&self) -> Vec<String> {
        let nodes = self.nodes.lock().unwrap();
        nodes.iter().map(|node| node.namespace.clone()).collect()
    }

    fn others<'a>(
        nodes: &'a [Port],
        from: NodeId,
        namespace: &'a str,
    ) -> impl Iterator<Item = &'a Port> {
        let others = nodes.iter().filter(move |node| node.id != from);
        others.filter(move |node| node.namespace == namespace)
    }

    fn count_others(&self, from: NodeId, namespace: &str) -> usize {
        Self::others(&self.nodes.lock().unwrap(), from, namespace).count()
    }

    /// To one node, or to all others of the namespace.
    fn send(&self, to: Option<NodeId>, envelope: &Envelope) {
        let bytes = envelope.to_bytes();
        let nodes = self.nodes.lock().unwrap();
        let others = Self::others(&nodes, envelope.from, &envelope.namespace);
        let recipients = others.filter(|node| to.is_none_or(|to| to == node.id));
        for node in recipients.filter(|node| !node.is_silent) {
            let _ = node.inbox.send(bytes.clone());
        }
    }
}

struct Node(Arc<Inner>);

struct Inner {
    id: NodeId,
    local: Arc<LocalAdapter>,
    network: Arc<Network>,
    last_request: AtomicU64,
    /// Who waits for responses, by request.
    waiting: Mutex<HashMap<u64, mpsc::UnboundedSender<(Response, bool)>>>,
    /// What is done for others, by node and request.
    working: Mutex<HashMap<(NodeId, u64), AbortHandle>>,
}

impl Node {
    fn new(network: Arc<Network>, local: Arc<LocalAdapter>) -> Self {
        Self(Arc::new(Inner {
            id: network.last_id.fetch_add(1, Ordering::Relaxed),
            local,
            network,
            last_request: AtomicU64::new(0),
            waiting: Mutex::default(),
            working: Mutex::default(),
        }))
    }
}

impl Inner {
    fn send(&self, to: Option<NodeId>, message: Message) {
        let envelope = Envelope {
            from: self.id,
            namespace: self.local.namespace().to_owned(),
            message,
        };
        self.network.send(to, &envelope);
    }

    /// Asks all other nodes. The responses end when each has sent its last one, or at the deadline, with a `None` for
    /// each that has not.
    fn ask(self: &Arc<Self>, request: Request, timeout: Duration) -> BoxStream<Option<Response>> {
        let id = self.last_request.fetch_add(1, Ordering::Relaxed);
        let (sender, responses) = mpsc::unbounded_channel();
        self.waiting.lock().unwrap().insert(id, sender);
        let missing = self.network.count_others(self.id, self.local.namespace());
        self.send(None, Message::Request(id, request));
        let asked = Asked {
            node: self.clone(),
            id,
            responses,
            missing,
            deadline: Instant::now() + timeout,
        };
        Box::pin(stream::unfold(asked, Asked::next))
    }

    fn receive(self: &Arc<Self>, from: NodeId, message: Message) {
        let local = &self.local;
        match message {
            Message::Broadcast(event, target, is_volatile) => {
                local.broadcast(&event.to_draft(), &target.to_target(), is_volatile);
            }
            Message::AddSockets(target, names) => {
                local.add_sockets(&target.to_target(), &rooms(&names));
            }
            Message::DelSockets(target, names) => {
                local.del_sockets(&target.to_target(), &rooms(&names));
            }
            Message::DisconnectSockets(target, close) => {
                local.disconnect_sockets(&target.to_target(), close);
            }
            Message::ServerSideEmit(event) => {
                let (name, args) = event.to_parts();
                tokio::spawn(local.deliver_server_side(name, args));
            }
            Message::Request(id, request) => {
                let responses = self.respond(request);
                let node = self.clone();
                let work = tokio::spawn(async move {
                    responses
                        .for_each(|response| {
                            node.send(Some(from), Message::Response(id, response, false));
                            std::future::ready(())
                        })
                        .await;
                    node.send(Some(from), Message::Response(id, Response::End, true));
                    node.working.lock().unwrap().remove(&(from, id));
                });
                let mut working = self.working.lock().unwrap();
                working.insert((from, id), work.abort_handle());
            }
            Message::Response(id, response, is_last) => {
                if let Some(waiting) = self.waiting.lock().unwrap().get(&id) {
                    let _ = waiting.send((response, is_last));
                }
            }
            Message::Cancel(id) => {
                if let Some(work) = self.working.lock().unwrap().remove(&(from, id)) {
                    work.abort();
                }
            }
        }
    }

    fn respond(&self, request: Request) -> BoxStream<Response> {
        let local = &self.local;
        match request {
            Request::BroadcastWithAck(event, target, is_volatile, timeout) => {
                let (event, target) = (event.to_draft(), target.to_target());
                let answers = local.broadcast_with_ack(&event, &target, is_volatile, timeout);
                Box::pin(answers.map(|answer| Response::Answer(answer.into())))
            }
            Request::FetchSockets(target) => {
                let found = local.fetch_sockets(&target.to_target());
                let found = async move { Response::Sockets(found.await.unwrap()) };
                Box::pin(stream::once(found))
            }
            Request::ListRooms => {
                let names = Response::Rooms(local.rooms());
                Box::pin(stream::once(std::future::ready(names)))
            }
            Request::ServerSideEmit(event) => {
                let (name, args) = event.to_parts();
                let answer = local.deliver_server_side(name, args);
                Box::pin(stream::once(async move {
                    let answer = answer.await;
                    Response::ServerSide(answer.as_ref().map(Into::into))
                }))
            }
        }
    }
}

/// A request that may still be answered. When it is dropped, the others need not go on.
struct Asked {
    node: Arc<Inner>,
    id: u64,
    responses: mpsc::UnboundedReceiver<(Response, bool)>,
    missing: usize,
    deadline: Instant,
}

impl Asked {
    async fn next(mut self) -> Option<(Option<Response>, Self)> {
        while self.missing > 0 {
            match timeout_at(self.deadline, self.responses.recv()).await {
                Ok(response) => match response.unwrap() {
                    (_, true) => self.missing -= 1,
                    (response, false) => return Some((Some(response), self)),
                },
                Err(_) => {
                    self.missing -= 1;
                    return Some((None, self));
                }
            }
        }
        None
    }
}

impl Drop for Asked {
    fn drop(&mut self) {
        self.node.waiting.lock().unwrap().remove(&self.id);
        if self.missing > 0 {
            self.node.send(None, Message::Cancel(self.id));
        }
    }
}

/// How long a node may take to say what it knows at once.
const PATIENCE: Duration = Duration::from_secs(5);

impl Adapter for Node {
    fn init(&self) {
        let (inbox, mut messages) = mpsc::unbounded_channel::<Vec<u8>>();
        self.0.network.nodes.lock().unwrap().push(Port {
            id: self.0.id,
            namespace: self.0.local.namespace().to_owned(),
            inbox,
            is_silent: false,
        });
        let node = self.0.clone();
        // Ends when the port is gone, and with it the sender.
        tokio::spawn(async move {
            while let Some(bytes) = messages.recv().await {
                let Envelope { from, message, .. } = Envelope::from_bytes(&bytes);
                node.receive(from, message);
            }
        });
    }

    fn close(&self) -> BoxFuture<()> {
        let node = self.0.clone();
        Box::pin(async move {
            tokio::task::yield_now().await;
            let mut nodes = node.network.nodes.lock().unwrap();
            nodes.retain(|port| port.id != node.id);
        })
    }

    fn server_count(&self) -> BoxFuture<Result<usize, AdapterError>> {
        let Inner {
            id, local, network, ..
        } = &*self.0;
        let count = network.count_others(*id, local.namespace()) + 1;
        Box::pin(std::future::ready(Ok(count)))
    }

    fn list_rooms(&self) -> BoxFuture<Result<Vec<String>, AdapterError>> {
        let mut rooms = self.0.local.rooms();
        let mut others = self.0.ask(Request::ListRooms, PATIENCE);
        Box::pin(async move {
            while let Some(response) = others.next().await {
                match response {
                    Some(Response::Rooms(others)) => rooms.extend(others),
                    _ => return Err(silence()),
                }
            }
            rooms.sort();
            rooms.dedup();
            Ok(rooms)
        })
    }

    fn broadcast(&self, event: &Draft, target: &Target, is_volatile: bool) {
        let message = Message::Broadcast(event.into(), target.into(), is_volatile);
        self.0.send(None, message);
        self.0.local.broadcast(event, target, is_volatile);
    }

    fn broadcast_with_ack(
        &self,
        event: &Draft,
        target: &Target,
        is_volatile: bool,
        timeout: Duration,
    ) -> BoxStream<AnswerFrom<Args>> {
        let request = Request::BroadcastWithAck(event.into(), target.into(), is_volatile, timeout);
        // A little more, since the others' own timeouts are to arrive.
        let others = self.0.ask(request, timeout + Duration::from_millis(200));
        let others = others.filter_map(|response| async {
            match response {
                Some(Response::Answer(answer)) => Some(answer.into()),
                Some(_) => None,
                None => Some(AnswerFrom {
                    id: None,
                    answer: Err(AckError::Timeout),
                }),
            }
        });
        let local = self
            .0
            .local
            .broadcast_with_ack(event, target, is_volatile, timeout);
        Box::pin(stream::select(local, Box::pin(others)))
    }

    fn fetch_sockets(
        &self,
        target: &Target,
    ) -> BoxFuture<Result<Vec<SocketDetails>, AdapterError>> {
        let here = self.0.local.fetch_sockets(target);
        let mut others = self.0.ask(Request::FetchSockets(target.into()), PATIENCE);
        Box::pin(async move {
            let mut found = here.await?;
            while let Some(response) = others.next().await {
                match response {
                    Some(Response::Sockets(there)) => found.extend(there),
                    _ => return Err(silence()),
                }
            }
            Ok(found)
        })
    }

    fn add_sockets(&self, target: &Target, rooms: &[Room]) {
        self.0
            .send(None, Message::AddSockets(target.into(), names(rooms)));
        self.0.local.add_sockets(target, rooms);
    }

    fn del_sockets(&self, target: &Target, rooms: &[Room]) {
        self.0
            .send(None, Message::DelSockets(target.into(), names(rooms)));
        self.0.local.del_sockets(target, rooms);
    }

    fn disconnect_sockets(&self, target: &Target, close: bool) {
        self.0
            .send(None, Message::DisconnectSockets(target.into(), close));
        self.0.local.disconnect_sockets(target, close);
    }

    fn server_side_emit(&self, event: &Draft) {
        self.0.send(None, Message::ServerSideEmit(event.into()));
    }

    fn server_side_emit_with_ack(
        &self,
        event: &Draft,
        timeout: Duration,
    ) -> BoxStream<AnswerFrom<Args>> {
        let request = Request::ServerSideEmit(WireEvent::from(event));
        let answers = self.0.ask(request, timeout);
        Box::pin(answers.map(|response| {
            let answer = match response {
                Some(Response::ServerSide(Some(args))) => Ok(args.to_args()),
                _ => Err(AckError::Timeout),
            };
            AnswerFrom { id: None, answer }
        }))
    }
}

fn silence() -> AdapterError {
    AdapterError("a node does not answer".to_owned())
}
