//! Engine.IO 4: long-polling and WebSocket sessions with heartbeat and upgrade, as a pure machine and a server.
