//! The fixture of `protocol-tests/conformance/fixture.md` on our crates, for the tests to talk to.

mod any;
mod engine;
mod options;
mod socket;

use std::{convert::Infallible, error::Error};

use engineio::server::{Engine, serve};
use http::{Request, Response, StatusCode};
use http_body_util::Full;
use hyper::{
    body::{Bytes, Incoming},
    service::service_fn,
};
use socketio::Server;
use tokio::{io::AsyncReadExt, net::TcpListener};
use tower_layer::Layer;

use self::options::Options;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let argument = std::env::args().nth(1).unwrap_or_else(|| "{}".to_owned());
    let options: Options = serde_json::from_str(&argument)?;

    let engine = Engine::with_hooks(
        options.engine("/engine.io"),
        options.hooks(),
        engine::Fixture::default(),
    );
    let io = Server::with_config(options.socket());
    socket::install(&io);
    let service = engine.layer().layer(io.layer().layer(service_fn(not_here)));

    let listener = TcpListener::bind("127.0.0.1:0").await?;
    println!(r#"{{"port":{}}}"#, listener.local_addr()?.port());
    serve(listener, service, engine.config(), input_ended()).await?;
    Ok(())
}

async fn not_here(_request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    let mut response = Response::new(Full::from("not here"));
    *response.status_mut() = StatusCode::NOT_FOUND;
    Ok(response)
}

/// A test that ends closes our standard input, and there is nobody left to serve: no connection is waited for.
async fn input_ended() {
    let mut ignored = Vec::new();
    let _broken = tokio::io::stdin().read_to_end(&mut ignored).await;
    std::process::exit(0);
}
