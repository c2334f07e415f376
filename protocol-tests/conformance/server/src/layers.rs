//! What stands in front of both servers when a test asks for layers, and what stands beside them.

use std::convert::Infallible;

use http::{HeaderValue, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full, combinators::UnsyncBoxBody};
use hyper::{
    body::{Body, Bytes, Incoming},
    service::Service,
    upgrade,
};
use hyper_util::rt::TokioIo;

/// Any body, since a layer wraps those of the service behind it.
pub type Wrapped = UnsyncBoxBody<Bytes, Box<dyn std::error::Error + Send + Sync>>;

/// Whom a layer has taken the client for: the header `x-user`.
#[derive(Debug, Clone)]
pub struct User(pub String);

/// The outer layer: it begins the list of those that have run, wraps the response, and attaches the user.
pub async fn outer<S, B>(
    inner: S,
    mut request: Request<Incoming>,
) -> Result<Response<Wrapped>, Infallible>
where
    S: Service<Request<Incoming>, Response = Response<B>, Error = Infallible>,
    B: Body<Data = Bytes> + Send + 'static,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    if let Some(user) = request
        .headers()
        .get("x-user")
        .and_then(|user| user.to_str().ok())
    {
        let user = User(user.to_owned());
        request.extensions_mut().insert(user);
    }
    request
        .headers_mut()
        .insert("x-layers", HeaderValue::from_static("outer"));
    second(inner, request).await
}

/// The inner layer: it answers itself what asks for `end` or `fail`.
async fn second<S, B>(inner: S, request: Request<Incoming>) -> Result<Response<Wrapped>, Infallible>
where
    S: Service<Request<Incoming>, Response = Response<B>, Error = Infallible>,
    B: Body<Data = Bytes> + Send + 'static,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let before = request.headers().get("x-layers").cloned();
    let before = before
        .as_ref()
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default();
    let order = HeaderValue::from_str(&format!("{before},inner"));
    let query = request.uri().query().unwrap_or_default();
    let mut response = if query.contains("end=1") {
        plain(StatusCode::SERVICE_UNAVAILABLE, "ended by a layer")
    } else if query.contains("fail=1") {
        plain(StatusCode::BAD_REQUEST, "failed in a layer")
    } else {
        inner
            .call(request)
            .await?
            .map(|body| body.map_err(Into::into).boxed_unsync())
    };
    if let Ok(order) = order {
        response.headers_mut().insert("x-order", order);
    }
    Ok(response)
}

/// What stands beside both servers: another handler of upgrades under `/elsewhere`, and nothing else.
pub async fn beside(mut request: Request<Incoming>) -> Result<Response<Wrapped>, Infallible> {
    if request.uri().path() != "/elsewhere" {
        return Ok(plain(StatusCode::NOT_FOUND, "not here"));
    }
    let upgrade = upgrade::on(&mut request);
    // Ends with its connection.
    tokio::spawn(async move {
        let Ok(connection) = upgrade.await else {
            return;
        };
        let (mut from, mut to) = tokio::io::split(TokioIo::new(connection));
        let _broken = tokio::io::copy(&mut from, &mut to).await;
    });
    let mut response = plain(StatusCode::SWITCHING_PROTOCOLS, "");
    let headers = response.headers_mut();
    headers.insert("connection", HeaderValue::from_static("Upgrade"));
    headers.insert("upgrade", HeaderValue::from_static("echo"));
    Ok(response)
}

fn plain(status: StatusCode, text: &'static str) -> Response<Wrapped> {
    let mut response = Response::new(
        Full::from(text)
            .map_err(|never| match never {})
            .boxed_unsync(),
    );
    *response.status_mut() = status;
    response
}
