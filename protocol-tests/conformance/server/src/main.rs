//! The fixture of `protocol-tests/conformance/fixture.md` on our crates, for the tests to talk to.

mod any;
mod engine;
mod family;
mod layers;
mod options;
mod own;
mod socket;
mod utility;

use std::error::Error;

use engineio::server::{Engine, serve};
use hyper::service::service_fn;
use socketio::Server;
use tokio::{io::AsyncReadExt, net::TcpListener};
use tower_layer::Layer;

use self::{engine::Told, options::Options};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let argument = std::env::args().nth(1).unwrap_or_else(|| "{}".to_owned());
    let options: Options = serde_json::from_str(&argument)?;

    let told = Told::default();
    let engine = Engine::with_hooks(
        options.engine("/engine.io"),
        options.hooks(&told),
        engine::Fixture::new(told.clone()),
    );
    let io = Server::with_config(options.socket(&told));
    socket::install(&io);

    let listener = TcpListener::bind(("127.0.0.1", options.port())).await?;
    println!(r#"{{"port":{}}}"#, listener.local_addr()?.port());
    if options.is_alone() {
        tokio::spawn(input_ended());
        return Ok(engine.serve(listener).await?);
    }
    let service = engine
        .layer()
        .layer(io.layer().layer(service_fn(layers::beside)));
    let config = engine.config();
    if options.has_layers() {
        let layered = service_fn(move |request| layers::outer(service.clone(), request));
        serve(listener, layered, config, input_ended()).await?;
    } else {
        serve(listener, service, config, input_ended()).await?;
    }
    Ok(())
}

/// A test that ends closes our standard input, and there is nobody left to serve: no connection is waited for.
async fn input_ended() {
    let mut ignored = Vec::new();
    let _broken = tokio::io::stdin().read_to_end(&mut ignored).await;
    std::process::exit(0);
}
