//! Our server with the allocator of the system, as it is where a program chooses none.
#![forbid(unsafe_code)]

#[path = "../bench_server.rs"]
mod bench_server;

fn main() -> std::io::Result<()> {
    bench_server::run()
}
