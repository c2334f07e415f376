//! `StaticFiles`: files that are served below the server's path, such as the script of a client.

use std::{
    collections::HashMap,
    fmt,
    sync::{Arc, OnceLock},
};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, header};

use super::{compression::Encoding, service::Body};
use crate::config::Config;

/// Files that are served below the server's path, each with an entity tag and compressed as the client accepts it. They
/// are answered before anything else is looked at, and to everybody; CORS headers are sent as for all responses.
///
/// Each is compressed once for each encoding, when it is first asked for, and kept.
#[derive(Clone, Default)]
pub struct StaticFiles(HashMap<String, Arc<File>>);

struct File {
    content_type: HeaderValue,
    etag: HeaderValue,
    /// The tag of what is compressed, which is the same only in meaning (RFC 9110, section 8.8.1).
    weak_etag: HeaderValue,
    content: Bytes,
    gzip: OnceLock<Option<Bytes>>,
    deflate: OnceLock<Option<Bytes>>,
}

impl StaticFiles {
    /// No files.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a file under a name, without a slash in front. The name is matched exactly; a query behind it is ignored.
    #[must_use]
    pub fn file(
        mut self,
        name: impl Into<String>,
        content_type: HeaderValue,
        content: impl Into<Bytes>,
    ) -> Self {
        let file = File::new(content_type, content.into());
        self.0.insert(name.into(), Arc::new(file));
        self
    }

    /// The names of the files, in no order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }

    /// The file that is asked for, if it is one.
    pub(super) fn find<B>(&self, config: &Config, request: &Request<B>) -> Option<Found> {
        if self.0.is_empty() || !matches!(*request.method(), Method::GET | Method::HEAD) {
            return None;
        }
        let path = request.uri().path();
        let name = path
            .strip_prefix(config.path.trim_end_matches('/'))?
            .strip_prefix('/')?;
        let file = self.0.get(name)?.clone();
        Some(Found {
            is_known: file.is_known(request.headers()),
            encoding: Encoding::negotiate(request.headers()),
            file,
        })
    }
}

/// A file that is asked for.
pub(super) struct Found {
    file: Arc<File>,
    /// The client has it already.
    is_known: bool,
    encoding: Option<Encoding>,
}

impl Found {
    pub(super) async fn respond(self) -> Response<Body> {
        if self.is_known {
            self.file.not_modified()
        } else {
            self.file.respond(self.encoding).await
        }
    }
}

impl fmt::Debug for StaticFiles {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

impl File {
    fn new(content_type: HeaderValue, content: Bytes) -> Self {
        let tag = format!("\"{:x}-{:016x}\"", content.len(), fnv_1a(&content));
        let header = |text: &str| HeaderValue::try_from(text).expect("made of digits and quotes");
        Self {
            content_type,
            etag: header(&tag),
            weak_etag: header(&format!("W/{tag}")),
            content,
            gzip: OnceLock::new(),
            deflate: OnceLock::new(),
        }
    }

    async fn respond(&self, encoding: Option<Encoding>) -> Response<Body> {
        let compressed = match encoding {
            Some(encoding) => self.compressed(encoding).await.zip(Some(encoding)),
            None => None,
        };
        let body = compressed
            .as_ref()
            .map_or(&self.content, |(body, _encoding)| body);
        let mut response = Response::new(Body::new(body.clone()));
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, self.content_type.clone());
        let etag = if let Some((_, encoding)) = compressed {
            let encoding = HeaderValue::from_static(encoding.as_str());
            headers.insert(header::CONTENT_ENCODING, encoding);
            &self.weak_etag
        } else {
            &self.etag
        };
        add_caching(headers, etag);
        response
    }

    fn not_modified(&self) -> Response<Body> {
        let mut response = Response::new(Body::default());
        *response.status_mut() = StatusCode::NOT_MODIFIED;
        add_caching(response.headers_mut(), &self.etag);
        response
    }

    /// `None` if that went wrong, which it does not.
    async fn compressed(&self, encoding: Encoding) -> Option<Bytes> {
        let kept = match encoding {
            Encoding::Gzip => &self.gzip,
            Encoding::Deflate => &self.deflate,
        };
        if let Some(compressed) = kept.get() {
            return compressed.clone();
        }
        // Of several that come first, one is kept.
        let compressed = encoding.compress(self.content.clone()).await;
        kept.get_or_init(|| compressed).clone()
    }

    /// RFC 9110, section 13.1.2: whether the client has it, by a list of tags, weak or strong, or `*`.
    fn is_known(&self, headers: &HeaderMap) -> bool {
        let strong = |tag: &[u8]| tag.strip_prefix(b"W/").unwrap_or(tag) == self.etag.as_bytes();
        headers
            .get_all(header::IF_NONE_MATCH)
            .iter()
            .flat_map(|known| known.as_bytes().split(|byte| *byte == b','))
            .map(<[u8]>::trim_ascii)
            .any(|tag| tag == b"*" || strong(tag))
    }
}

/// As the reference: kept, and asked for again each time.
fn add_caching(headers: &mut HeaderMap, etag: &HeaderValue) {
    let caching = HeaderValue::from_static("public, max-age=0");
    headers.insert(header::CACHE_CONTROL, caching);
    headers.insert(header::ETAG, etag.clone());
    headers.insert(header::VARY, HeaderValue::from_static("Accept-Encoding"));
}

/// Tells versions of a file apart, the same on every server: FNV-1a with 64 bits.
fn fnv_1a(content: &[u8]) -> u64 {
    content.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_tells_contents_apart_and_is_the_same_everywhere() {
        let tag = |content: &'static str| {
            File::new(HeaderValue::from_static("x/y"), Bytes::from(content)).etag
        };
        // From the table of the hash's authors.
        assert_eq!(tag("foobar"), "\"6-85944171f73967e8\"");
        assert_eq!(tag(""), "\"0-cbf29ce484222325\"");
        assert_ne!(tag("ab"), tag("ba"));
    }
}
