//! As much of HTTP/1.1 as long-polling needs.

use std::io;
use std::net::SocketAddr;

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;

use super::broken;

/// A connection that carries one request after the other.
pub struct Http {
    stream: BufReader<TcpStream>,
}

const MAX_HEAD_LINE: u64 = 16 * 1024;
const MAX_BODY: usize = 16 << 20;

impl Http {
    pub async fn open(server: SocketAddr) -> io::Result<Self> {
        let stream = TcpStream::connect(server).await?;
        stream.set_nodelay(true)?;
        Ok(Self {
            stream: BufReader::new(stream),
        })
    }

    /// Sends a request and returns the body of its answer, which must be a 200.
    pub async fn request(&mut self, path: &str, body: Option<&str>) -> io::Result<String> {
        let head = match body {
            None => format!("GET {path} HTTP/1.1\r\nHost: chaos\r\n\r\n"),
            Some(body) => format!(
                "POST {path} HTTP/1.1\r\nHost: chaos\r\nContent-Type: text/plain;charset=UTF-8\r\nContent-Length: {}\r\n\r\n",
                body.len()
            ),
        };
        let request = [head.as_bytes(), body.unwrap_or_default().as_bytes()].concat();
        self.stream.get_mut().write_all(&request).await?;
        let status = self.line().await?;
        let length = self.headers().await?;
        let mut answer = vec![0; length];
        self.stream.read_exact(&mut answer).await?;
        if status.split(' ').nth(1) != Some("200") {
            return Err(broken(&status));
        }
        String::from_utf8(answer).map_err(|_| broken("the body is not UTF-8"))
    }

    /// Reads the headers and returns the length of the body.
    async fn headers(&mut self) -> io::Result<usize> {
        let mut length = None;
        loop {
            let line = self.line().await?;
            if line.is_empty() {
                break;
            }
            if let Some((name, value)) = line.split_once(':')
                && name.eq_ignore_ascii_case("content-length")
            {
                length = value.trim().parse().ok();
            }
        }
        let length = length.ok_or_else(|| broken("an answer without a length"))?;
        if length > MAX_BODY {
            return Err(broken("an answer that is too long"));
        }
        Ok(length)
    }

    async fn line(&mut self) -> io::Result<String> {
        let mut line = String::new();
        let mut limited = (&mut self.stream).take(MAX_HEAD_LINE);
        if limited.read_line(&mut line).await? == 0 || !line.ends_with('\n') {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        line.truncate(line.trim_end().len());
        Ok(line)
    }
}
