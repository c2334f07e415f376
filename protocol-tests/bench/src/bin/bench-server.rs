//! Our server with an allocator that gives memory back by itself, which is what is advised to whoever embeds it.
#![forbid(unsafe_code)]

#[path = "../bench_server.rs"]
mod bench_server;

use std::io;

fn main() -> io::Result<()> {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    allocator::set_up().map_err(|error| io::Error::other(error.to_string()))?;
    bench_server::run()
}

#[cfg(all(target_os = "linux", target_env = "gnu"))]
mod allocator {
    use tikv_jemalloc_ctl::{Access, AsName, Error};
    use tikv_jemallocator::Jemalloc;

    #[global_allocator]
    static ALLOCATOR: Jemalloc = Jemalloc;

    /// As the chat does: keeps unused memory for a second, and not for ten.
    pub fn set_up() -> Result<(), Error> {
        "arenas.dirty_decay_ms\0".name().write(1_000_isize)?;
        "arena.0.dirty_decay_ms\0".name().write(1_000_isize)
    }
}
