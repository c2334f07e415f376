//! Socket.IO 5 on top of `engineio`: packets, acks, namespaces and rooms.
