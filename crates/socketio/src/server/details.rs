//! `SocketDetails`: what one node tells another of a socket.

use serde::{Deserialize, Serialize, Serializer, ser::SerializeStruct};

use super::{handshake::Handshake, socket::Socket};

/// What one node tells another of a socket.
#[derive(Debug, Clone, Deserialize)]
pub struct SocketDetails {
    /// The socket's id.
    pub id: String,
    /// The rooms it is in.
    pub rooms: Vec<String>,
    /// How the client connected.
    pub handshake: Handshake,
    /// What is kept on it and [shared](crate::Config::shared_data), as JSON by its key. Empty where the socket itself is,
    /// of which it is taken when this is serialized.
    pub data: Vec<(String, String)>,
    /// The socket itself, where it is. It does not travel.
    #[serde(skip)]
    pub local: Option<Socket>,
}

impl Serialize for SocketDetails {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut details = serializer.serialize_struct("SocketDetails", 4)?;
        details.serialize_field("id", &self.id)?;
        details.serialize_field("rooms", &self.rooms)?;
        details.serialize_field("handshake", &self.handshake)?;
        match &self.local {
            Some(socket) => details.serialize_field("data", &socket.shared_data())?,
            None => details.serialize_field("data", &self.data)?,
        }
        details.end()
    }
}
