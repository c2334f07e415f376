//! `Layer`: puts the server in front of any tower or hyper service; other paths pass through.

use std::{
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use http::{Request, Response};
use http_body_util::Either;

use super::{
    Engine, Handler,
    service::{Body, ResponseFuture, Service, is_ours},
};

/// Makes a [`LayerService`] of an inner service.
pub struct Layer<H: Handler> {
    engine: Arc<Engine<H>>,
}

impl<H: Handler> Layer<H> {
    pub(super) fn new(engine: Arc<Engine<H>>) -> Self {
        Self { engine }
    }
}

impl<H: Handler> Clone for Layer<H> {
    fn clone(&self) -> Self {
        Self {
            engine: self.engine.clone(),
        }
    }
}

impl<H: Handler, S> tower_layer::Layer<S> for Layer<H> {
    type Service = LayerService<H, S>;

    fn layer(&self, inner: S) -> Self::Service {
        LayerService {
            ours: self.engine.service(),
            inner,
        }
    }
}

/// Answers requests of the server's path, and hands all others to the inner service.
pub struct LayerService<H: Handler, S> {
    ours: Service<H>,
    inner: S,
}

impl<H: Handler, S: Clone> Clone for LayerService<H, S> {
    fn clone(&self) -> Self {
        Self {
            ours: self.ours.clone(),
            inner: self.inner.clone(),
        }
    }
}

impl<H, S, B, R> hyper::service::Service<Request<B>> for LayerService<H, S>
where
    H: Handler,
    S: hyper::service::Service<Request<B>, Response = Response<R>>,
    B: http_body::Body<Data: Send, Error: Send> + Send + 'static,
{
    type Response = Response<Either<Body, R>>;
    type Error = S::Error;
    type Future = LayerFuture<S::Future>;

    fn call(&self, request: Request<B>) -> Self::Future {
        if is_ours(self.ours.engine().config(), request.uri().path()) {
            LayerFuture::Ours(hyper::service::Service::call(&self.ours, request))
        } else {
            LayerFuture::Inner(Box::pin(self.inner.call(request)))
        }
    }
}

impl<H, S, B, R> tower_service::Service<Request<B>> for LayerService<H, S>
where
    H: Handler,
    S: tower_service::Service<Request<B>, Response = Response<R>>,
    B: http_body::Body<Data: Send, Error: Send> + Send + 'static,
{
    type Response = Response<Either<Body, R>>;
    type Error = S::Error;
    type Future = LayerFuture<S::Future>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        if is_ours(self.ours.engine().config(), request.uri().path()) {
            LayerFuture::Ours(hyper::service::Service::call(&self.ours, request))
        } else {
            LayerFuture::Inner(Box::pin(self.inner.call(request)))
        }
    }
}

/// The answer of one of the two services.
pub enum LayerFuture<F> {
    /// Our path.
    Ours(ResponseFuture),
    /// Any other path.
    Inner(Pin<Box<F>>),
}

impl<F, R, E> Future for LayerFuture<F>
where
    F: Future<Output = Result<Response<R>, E>>,
{
    type Output = Result<Response<Either<Body, R>>, E>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        match &mut *self {
            Self::Ours(ours) => {
                let response = match ready!(ours.as_mut().poll(context)) {
                    Ok(response) => response,
                    Err(never) => match never {},
                };
                Poll::Ready(Ok(response.map(Either::Left)))
            }
            Self::Inner(inner) => Poll::Ready(
                ready!(inner.as_mut().poll(context)).map(|response| response.map(Either::Right)),
            ),
        }
    }
}
