//! Socket.IO by HTTPS: `cargo run -p socketio --features rustls --example tls -- chain.pem key.pem`. Without files it makes
//! a certificate for `localhost`, which a client has to be told to trust. `LISTEN` is another address than port 3000.

use std::{env, fs, io};

use socketio::{Args, Event, Server, Socket, Tls};
use tokio::net::TcpListener;

#[tokio::main]
async fn main() -> io::Result<()> {
    let files: Vec<String> = env::args().skip(1).collect();
    let (chain, key) = match &files[..] {
        [chain, key] => (fs::read_to_string(chain)?, fs::read_to_string(key)?),
        _ => self_signed()?,
    };
    let address = env::var("LISTEN").unwrap_or_else(|_| "127.0.0.1:3000".to_owned());
    println!("listening on https://{address} with the certificate\n{chain}");
    serve(TcpListener::bind(address).await?, chain, key).await
}

/// Serves until the server is closed, which here nobody does.
pub async fn serve(listener: TcpListener, chain: String, key: String) -> io::Result<()> {
    let io = Server::new();
    io.of("/")
        .on_connect(async |socket: Socket| {
            let secure = socket.handshake().is_secure();
            socket.emit("welcome", ("from tls", secure))
        })
        .on("echo", async |ev: Event, args: Args| ev.ack(args));

    // `io.serve_tls` does this in one line; `Tls::new` takes all that rustls can be told.
    let tls =
        Tls::from_pem(listener, chain.as_bytes(), key.as_bytes()).map_err(io::Error::other)?;
    io.serve_listener(tls).await
}

/// A certificate and its key, in PEM format.
pub fn self_signed() -> io::Result<(String, String)> {
    let own = rcgen::generate_simple_self_signed(["localhost".to_owned()]);
    let own = own.map_err(io::Error::other)?;
    Ok((own.cert.pem(), own.signing_key.serialize_pem()))
}
