//! The headers that CORS adds to responses, the answer to a preflight request, and who is let in by origin.

use http::{HeaderMap, HeaderValue, Response, StatusCode, header};

use super::service::{Body, plain};
use crate::cors::{Cors, Origins};

/// The answer to an OPTIONS request.
pub(super) fn preflight(cors: &Cors, request: &HeaderMap) -> Response<Body> {
    let mut response = plain(StatusCode::NO_CONTENT, "");
    let headers = response.headers_mut();
    let methods = cors.options().methods.join(",");
    insert(headers, header::ACCESS_CONTROL_ALLOW_METHODS, &methods);
    match &cors.options().allowed_headers {
        Some(allowed) => insert(
            headers,
            header::ACCESS_CONTROL_ALLOW_HEADERS,
            &allowed.join(","),
        ),
        None => {
            add_vary(headers, "Access-Control-Request-Headers");
            let asked = request.get(header::ACCESS_CONTROL_REQUEST_HEADERS);
            if let Some(asked) = asked.filter(|asked| !asked.is_empty()) {
                headers.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, asked.clone());
            }
        }
    }
    if let Some(age) = cors.options().max_age {
        headers.insert(
            header::ACCESS_CONTROL_MAX_AGE,
            HeaderValue::from(age.as_secs()),
        );
    }
    response
}

/// Adds what every response carries, refusals among them.
pub(super) fn add_headers(cors: &Cors, origin: Option<&HeaderValue>, headers: &mut HeaderMap) {
    if matches!(cors.options().origin, Origins::Any) {
        headers.insert(
            header::ACCESS_CONTROL_ALLOW_ORIGIN,
            HeaderValue::from_static("*"),
        );
    } else {
        let allowed = origin.filter(|origin| origin.to_str().is_ok_and(|text| cors.allows(text)));
        if let Some(origin) = allowed {
            headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
        }
        add_vary(headers, "Origin");
    }
    if cors.options().credentials {
        headers.insert(
            header::ACCESS_CONTROL_ALLOW_CREDENTIALS,
            HeaderValue::from_static("true"),
        );
    }
    insert(
        headers,
        header::ACCESS_CONTROL_EXPOSE_HEADERS,
        &cors.options().exposed_headers.join(","),
    );
}

/// Whether a WebSocket, or a request for a session there is, may come from where it says it does.
pub(super) fn lets_in(cors: &Cors, headers: &HeaderMap) -> bool {
    match headers.get(header::ORIGIN) {
        None => true,
        Some(origin) => {
            let origin = origin.to_str().unwrap_or_default();
            is_own(origin, headers) || cors.allows(origin)
        }
    }
}

/// The same for a script. Any page can load one and read what it says, and browsers name no origin then: it is that of the
/// `Referer`, and whoever hides that is not let in.
pub(super) fn lets_in_script(cors: &Cors, headers: &HeaderMap) -> bool {
    if headers.contains_key(header::ORIGIN) || matches!(cors.options().origin, Origins::Any) {
        return lets_in(cors, headers);
    }
    let referer = headers.get(header::REFERER);
    let page = referer.and_then(|page| page.to_str().ok());
    page.and_then(origin_of)
        .is_some_and(|origin| is_own(origin, headers) || cors.allows(origin))
}

/// The scheme, host and port of an address.
fn origin_of(address: &str) -> Option<&str> {
    let host = address.find("://")? + "://".len();
    let path = address[host..].find(['/', '?', '#']);
    Some(path.map_or(address, |path| &address[..host + path]))
}

/// Whether the page comes from the host that it asks: of such requests CORS says nothing.
fn is_own(origin: &str, headers: &HeaderMap) -> bool {
    let host = headers.get(header::HOST).map(HeaderValue::as_bytes);
    let own = origin.split_once("://").map(|(_, own)| own.as_bytes());
    own.is_some_and(|own| host.is_some_and(|host| own.eq_ignore_ascii_case(host)))
}

fn add_vary(headers: &mut HeaderMap, name: &'static str) {
    let vary = match headers.get(header::VARY).map(HeaderValue::to_str) {
        Some(Ok(before)) => format!("{name}, {before}"),
        _ => name.to_owned(),
    };
    insert(headers, header::VARY, &vary);
}

/// Nothing is added for an empty text; the others were checked when the options were.
fn insert(headers: &mut HeaderMap, name: header::HeaderName, text: &str) {
    if let Ok(value) = HeaderValue::from_str(text)
        && !text.is_empty()
    {
        headers.insert(name, value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cors::CorsOptions;

    fn named() -> Cors {
        let names = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect();
        let options = CorsOptions {
            origin: Origins::List(names(&["http://a.test", "http://b.test"])),
            credentials: true,
            methods: names(&["GET", "POST"]),
            allowed_headers: Some(names(&["x-a", "x-b"])),
            exposed_headers: names(&["x-c"]),
            max_age: Some(std::time::Duration::from_secs(5)),
        };
        Cors::new(options).unwrap()
    }

    fn any() -> Cors {
        Cors::new(CorsOptions::default()).unwrap()
    }

    fn map(headers: &[(&'static str, &str)]) -> HeaderMap {
        let pair = |&(name, value): &(&'static str, &str)| {
            (
                header::HeaderName::from_static(name),
                value.parse().unwrap(),
            )
        };
        headers.iter().map(pair).collect()
    }

    fn headers_of(cors: &Cors, origin: Option<&'static str>) -> HeaderMap {
        let mut headers = HeaderMap::new();
        add_headers(
            cors,
            origin.map(HeaderValue::from_static).as_ref(),
            &mut headers,
        );
        headers
    }

    fn preflight_of(cors: &Cors, request: &[(&'static str, &str)]) -> HeaderMap {
        let request = map(request);
        let mut response = preflight(cors, &request);
        assert_eq!(response.status(), 204);
        add_headers(cors, request.get("origin"), response.headers_mut());
        response.headers().clone()
    }

    #[test]
    fn a_named_origin_is_reflected() {
        let headers = headers_of(&named(), Some("http://b.test"));
        let expected = map(&[
            ("access-control-allow-origin", "http://b.test"),
            ("vary", "Origin"),
            ("access-control-allow-credentials", "true"),
            ("access-control-expose-headers", "x-c"),
        ]);
        assert_eq!(headers, expected);
    }

    #[test]
    fn another_origin_gets_no_grant_but_caches_are_told() {
        for origin in [None, Some("http://evil.test")] {
            let headers = headers_of(&named(), origin);
            assert_eq!(headers.get("access-control-allow-origin"), None);
            assert_eq!(headers["vary"], "Origin");
        }
    }

    #[test]
    fn any_origin_is_a_star_and_varies_by_nothing() {
        let headers = headers_of(&any(), Some("http://b.test"));
        assert_eq!(headers, map(&[("access-control-allow-origin", "*")]));
    }

    #[test]
    fn a_preflight_is_told_what_is_configured() {
        let headers = preflight_of(
            &named(),
            &[
                ("origin", "http://a.test"),
                ("access-control-request-headers", "x-q"),
            ],
        );
        let expected = map(&[
            ("access-control-allow-origin", "http://a.test"),
            ("vary", "Origin"),
            ("access-control-allow-credentials", "true"),
            ("access-control-allow-methods", "GET,POST"),
            ("access-control-allow-headers", "x-a,x-b"),
            ("access-control-max-age", "5"),
            ("access-control-expose-headers", "x-c"),
        ]);
        assert_eq!(headers, expected);
    }

    #[test]
    fn a_preflight_is_given_the_headers_it_asks_for_unless_they_are_named() {
        let asked = [("access-control-request-headers", "x-q, x-r")];
        let headers = preflight_of(&any(), &asked);
        assert_eq!(headers["access-control-allow-headers"], "x-q, x-r");
        assert_eq!(headers["vary"], "Access-Control-Request-Headers");
        let methods = "GET,HEAD,PUT,PATCH,POST,DELETE";
        assert_eq!(headers["access-control-allow-methods"], methods);
        let headers = preflight_of(&any(), &[]);
        assert_eq!(headers.get("access-control-allow-headers"), None);
    }

    #[test]
    fn both_reasons_to_vary_are_named() {
        let cors = Cors::new(CorsOptions {
            origin: Origins::matching(|_| true),
            ..CorsOptions::default()
        });
        let headers = preflight_of(&cors.unwrap(), &[("origin", "http://a.test")]);
        assert_eq!(headers["vary"], "Origin, Access-Control-Request-Headers");
    }

    #[test]
    fn own_pages_named_ones_and_clients_without_origin_are_let_in() {
        let cases: [(&[(&'static str, &str)], bool); 8] = [
            (&[], true),
            (&[("origin", "http://a.test")], true),
            (&[("origin", "http://evil.test")], false),
            (&[("origin", "null"), ("host", "null")], false),
            (
                &[("origin", "https://own.test"), ("host", "OWN.test")],
                true,
            ),
            (
                &[("origin", "http://own.test:80"), ("host", "own.test")],
                false,
            ),
            (
                &[("origin", "http://evil.test"), ("host", "own.test")],
                false,
            ),
            (&[("origin", "http://evil.test\u{e9}")], false),
        ];
        for (headers, expected) in cases {
            assert_eq!(lets_in(&named(), &map(headers)), expected, "{headers:?}");
        }
    }
}
