//! HTTP as much as long-polling needs of it: requests as bytes, and answers out of pieces.

/// An answer that is arriving.
#[derive(Debug, Default)]
pub struct Answer {
    bytes: Vec<u8>,
}

/// An answer that is whole.
#[derive(Debug, PartialEq, Eq)]
pub struct Whole {
    pub status: u16,
    pub body: Vec<u8>,
    /// Whether the connection takes another request.
    pub stays: bool,
    /// What came behind it, as after a change of protocols.
    pub rest: Vec<u8>,
}

/// What arrived is no answer.
#[derive(Debug, PartialEq, Eq)]
pub struct Broken;

/// A request of a session, or of its handshake.
pub fn request(sid: Option<&str>, transport: &str, more: &str, body: Option<&[u8]>) -> Vec<u8> {
    let method = if body.is_some() { "POST" } else { "GET" };
    let sid = sid.map(|sid| format!("&sid={sid}")).unwrap_or_default();
    let length = body
        .map(|body| {
            let length = body.len();
            format!("Content-Type: text/plain;charset=UTF-8\r\nContent-Length: {length}\r\n")
        })
        .unwrap_or_default();
    let head = format!(
        "{method} /socket.io/?EIO=4&transport={transport}{sid} HTTP/1.1\r\nHost: chat\r\n{more}{length}\r\n"
    );
    [head.as_bytes(), body.unwrap_or_default()].concat()
}

impl Answer {
    /// Takes what has arrived; gives the answer when it is whole.
    pub fn push(&mut self, bytes: &[u8]) -> Result<Option<Whole>, Broken> {
        self.bytes.extend_from_slice(bytes);
        let Some(end) = self.bytes.windows(4).position(|four| four == b"\r\n\r\n") else {
            return Ok(None);
        };
        let head = std::str::from_utf8(&self.bytes[..end]).map_err(|_| Broken)?;
        let mut lines = head.split("\r\n");
        let status = lines
            .next()
            .and_then(|line| line.strip_prefix("HTTP/1.1 "))
            .and_then(|line| line.get(..3)?.parse().ok())
            .ok_or(Broken)?;
        let (mut length, mut stays) = (0, true);
        for line in lines {
            let (name, value) = line.split_once(':').ok_or(Broken)?;
            match name.to_ascii_lowercase().as_str() {
                "content-length" => length = value.trim().parse().map_err(|_| Broken)?,
                "connection" => stays = !value.trim().eq_ignore_ascii_case("close"),
                "transfer-encoding" => return Err(Broken),
                _ => {}
            }
        }
        let body = end + 4..end + 4 + length;
        let Some(content) = self.bytes.get(body.clone()) else {
            return Ok(None);
        };
        Ok(Some(Whole {
            status,
            body: content.to_vec(),
            stays,
            rest: self.bytes[body.end..].to_vec(),
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_whole_with_its_last_byte() {
        let text = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nokmore";
        let mut answer = Answer::default();
        for byte in &text[..text.len() - 5] {
            assert_eq!(answer.push(&[*byte]), Ok(None));
        }
        let whole = Whole {
            status: 200,
            body: b"ok".to_vec(),
            stays: false,
            rest: b"more".to_vec(),
        };
        assert_eq!(answer.push(b"kmore"), Ok(Some(whole)));
        assert_eq!(Answer::default().push(b"nonsense\r\n\r\n"), Err(Broken));
    }
}
