//! A small disk that can be filled, or made read-only: a tmpfs, if one can be mounted here.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// What the server wants to stay free, and what it needs for itself.
const SIZE: &str = "size=112m";

/// A mounted tmpfs, which is unmounted when this is dropped.
pub struct Disk {
    folder: PathBuf,
}

impl Disk {
    /// Mounts a disk, or says why that is not possible.
    pub fn mount(folder: &Path) -> io::Result<Self> {
        fs::create_dir_all(folder)?;
        let folder = folder.to_owned();
        run(Command::new("mount")
            .args(["-t", "tmpfs", "-o", SIZE, "chaos"])
            .arg(&folder))?;
        Ok(Self { folder })
    }

    /// Leaves not a byte.
    pub fn fill(&self) -> io::Result<()> {
        let mut filler = OpenOptions::new()
            .create(true)
            .append(true)
            .open(self.filler())?;
        let block = vec![b'x'; 1 << 16];
        loop {
            match filler.write_all(&block) {
                Ok(()) => {}
                Err(error) if error.kind() == io::ErrorKind::StorageFull => return Ok(()),
                Err(error) => return Err(error),
            }
        }
    }

    /// Gives the room back.
    pub fn free(&self) -> io::Result<()> {
        fs::remove_file(self.filler())
    }

    /// Lets nobody write. Works only while no file is open for that.
    pub fn protect(&self, protected: bool) -> io::Result<()> {
        let how = if protected {
            "remount,ro"
        } else {
            "remount,rw"
        };
        run(Command::new("mount").args(["-o", how]).arg(&self.folder))
    }

    fn filler(&self) -> PathBuf {
        self.folder.join("filler")
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        // Lazily: a server that was just killed may not be gone completely.
        let _ = run(Command::new("umount").arg("-l").arg(&self.folder));
    }
}

fn run(command: &mut Command) -> io::Result<()> {
    let output = command.stdin(Stdio::null()).output()?;
    if output.status.success() {
        return Ok(());
    }
    Err(io::Error::other(
        String::from_utf8_lossy(&output.stderr).trim().to_owned(),
    ))
}
