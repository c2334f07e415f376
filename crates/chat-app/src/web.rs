//! The embedded page: each file with its type, an ETag and headers that let nothing load from elsewhere.

use std::{collections::HashMap, sync::LazyLock};

use bytes::Bytes;
use data_encoding::BASE64URL_NOPAD;
use http::{HeaderMap, HeaderValue, Method, Response, StatusCode, header};
use http_body_util::Full;
use sha2::{Digest, Sha256};
use socketio::ClientBundle;

/// The paths and contents of the built page; empty without the feature `page`.
const FILES: &[(&str, &[u8])] = include!(concat!(env!("OUT_DIR"), "/page.rs"));

/// The names and contents of the client's scripts, for other pages; empty without the feature `page`.
const CLIENT: &[(&str, &[u8])] = include!(concat!(env!("OUT_DIR"), "/client.rs"));

/// The page and the server are one origin, and need nothing else.
const CONTENT_SECURITY_POLICY: &str = "default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; object-src 'none'";

/// The body of a response.
pub type Body = Full<Bytes>;

struct File {
    content: &'static [u8],
    content_type: HeaderValue,
    cache_control: HeaderValue,
    etag: HeaderValue,
}

static PAGE: LazyLock<HashMap<&str, File>> = LazyLock::new(|| {
    FILES
        .iter()
        .map(|(path, content)| (*path, File::new(path, content)))
        .collect()
});

/// The scripts of the client that came with the page, if there is one.
pub fn client_bundle() -> Option<ClientBundle> {
    let bundle = CLIENT
        .iter()
        .fold(ClientBundle::new(), |bundle, (name, content)| {
            bundle.file(*name, Bytes::from_static(content))
        });
    (!CLIENT.is_empty()).then_some(bundle)
}

/// Answers a request for a file of the page.
pub fn respond(method: &Method, path: &str, headers: &HeaderMap) -> Response<Body> {
    if method != Method::GET && method != Method::HEAD {
        let mut response = text(StatusCode::METHOD_NOT_ALLOWED, "method not allowed\n");
        response
            .headers_mut()
            .insert(header::ALLOW, HeaderValue::from_static("GET, HEAD"));
        return response;
    }
    let path = if path == "/" { "/index.html" } else { path };
    match PAGE.get(path) {
        Some(file) => file.respond(headers),
        None if PAGE.is_empty() && path == "/index.html" => text(
            StatusCode::OK,
            "The chat is served here; this binary was built without its page.\n",
        ),
        None => text(StatusCode::NOT_FOUND, "not found\n"),
    }
}

/// A short answer in plain text.
pub fn text(status: StatusCode, text: &'static str) -> Response<Body> {
    let mut response = Response::new(Full::from(text));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("text/plain; charset=utf-8"),
    );
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(
        header::X_CONTENT_TYPE_OPTIONS,
        HeaderValue::from_static("nosniff"),
    );
    response
}

impl File {
    fn new(path: &str, content: &'static [u8]) -> Self {
        let etag = format!(
            "\"{}\"",
            BASE64URL_NOPAD.encode(&Sha256::digest(content)[..12])
        );
        Self {
            content,
            content_type: HeaderValue::from_static(content_type_of(path)),
            // What Vite puts there has a hash of its content in its name.
            cache_control: HeaderValue::from_static(if path.starts_with("/assets/") {
                "public, max-age=31536000, immutable"
            } else {
                "no-cache"
            }),
            etag: HeaderValue::try_from(etag).expect("made of base64 and quotes"),
        }
    }

    fn respond(&self, request: &HeaderMap) -> Response<Body> {
        let is_known = request
            .get(header::IF_NONE_MATCH)
            .is_some_and(|known| matches_etag(known, &self.etag));
        let mut response = Response::new(Full::new(if is_known {
            Bytes::new()
        } else {
            Bytes::from_static(self.content)
        }));
        if is_known {
            *response.status_mut() = StatusCode::NOT_MODIFIED;
        }
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, self.content_type.clone());
        headers.insert(header::CACHE_CONTROL, self.cache_control.clone());
        headers.insert(header::ETAG, self.etag.clone());
        headers.insert(
            header::CONTENT_SECURITY_POLICY,
            HeaderValue::from_static(CONTENT_SECURITY_POLICY),
        );
        headers.insert(
            header::X_CONTENT_TYPE_OPTIONS,
            HeaderValue::from_static("nosniff"),
        );
        headers.insert(
            header::REFERRER_POLICY,
            HeaderValue::from_static("no-referrer"),
        );
        response
    }
}

/// RFC 9110, section 13.1.2: a list of tags, weak or strong, or `*`.
fn matches_etag(known: &HeaderValue, etag: &HeaderValue) -> bool {
    known
        .as_bytes()
        .split(|byte| *byte == b',')
        .map(<[u8]>::trim_ascii)
        .any(|tag| tag == b"*" || tag.strip_prefix(b"W/").unwrap_or(tag) == etag.as_bytes())
}

fn content_type_of(path: &str) -> &'static str {
    match path.rsplit_once('.').map(|(_, extension)| extension) {
        Some("html") => "text/html; charset=utf-8",
        Some("js") => "text/javascript; charset=utf-8",
        Some("css") => "text/css; charset=utf-8",
        Some("svg") => "image/svg+xml",
        Some("png") => "image/png",
        Some("json" | "map") => "application/json",
        Some("webmanifest") => "application/manifest+json",
        Some("txt") => "text/plain; charset=utf-8",
        _ => "application/octet-stream",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &[u8] = b"<p>hello";

    #[test]
    fn a_known_file_is_not_sent_again() {
        let file = File::new("/index.html", FILE);
        let mut request = HeaderMap::new();
        let response = file.respond(&request);
        assert_eq!(response.status(), StatusCode::OK);
        let etag = response.headers()[header::ETAG]
            .to_str()
            .unwrap()
            .to_owned();
        for known in [
            etag.clone(),
            format!("W/{etag}"),
            format!("\"other\", {etag}"),
            "*".to_owned(),
        ] {
            request.insert(header::IF_NONE_MATCH, known.parse().unwrap());
            assert_eq!(
                file.respond(&request).status(),
                StatusCode::NOT_MODIFIED,
                "{known}"
            );
        }
        request.insert(header::IF_NONE_MATCH, "\"other\"".parse().unwrap());
        assert_eq!(file.respond(&request).status(), StatusCode::OK);
    }

    #[test]
    fn the_page_brings_the_scripts_of_the_client() {
        let bundle = client_bundle();
        assert_eq!(bundle.is_some(), cfg!(feature = "page"));
        if let Some(bundle) = bundle {
            for name in ClientBundle::OFFICIAL_NAMES {
                assert!(bundle.names().any(|one| one == name), "{name}");
            }
            assert_eq!(bundle.names().count(), ClientBundle::OFFICIAL_NAMES.len());
        }
    }

    #[test]
    fn only_files_with_a_hash_in_their_name_are_kept_for_good() {
        let cache_control = |path| File::new(path, FILE).cache_control;
        assert_eq!(cache_control("/index.html"), "no-cache");
        assert_eq!(
            cache_control("/assets/index-1a2b.js"),
            "public, max-age=31536000, immutable"
        );
    }

    #[test]
    fn other_methods_and_paths_are_refused() {
        let respond =
            |method: &Method, path| super::respond(method, path, &HeaderMap::new()).status();
        assert_eq!(respond(&Method::POST, "/"), StatusCode::METHOD_NOT_ALLOWED);
        assert_eq!(
            respond(&Method::GET, "/../Cargo.toml"),
            StatusCode::NOT_FOUND
        );
        assert_eq!(respond(&Method::GET, "/"), StatusCode::OK);
    }
}
