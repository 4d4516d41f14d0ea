//! Calls to the real PD over HTTP: its leader, found the way gRPC finds it.

use std::io;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use futures::future::BoxFuture;
use http::{Method, Request, StatusCode, Uri, header};
use http_body_util::{BodyExt, Full, Limited};
use hyper_util::client::legacy::Client;
use hyper_util::rt::{TokioExecutor, TokioIo};
use serde_json::Value;

use super::problem::{Problem, shown};
use crate::fault::Fault;
use crate::upstream::{Dialer, Leader, Link, Pd, Stores};

/// A region takes about half a kilobyte of JSON: room for half a million.
const MAX_ANSWER: usize = 256 * 1024 * 1024;
/// Listing a large cluster's regions takes PD seconds.
const CALL_TIMEOUT: Duration = Duration::from_secs(30);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);
/// Tells PD's own metrics and limits who calls.
const CALLER: &str = "tidb-mesh";

/// The real PD's HTTP API.
pub(super) struct Backend {
    pd: Arc<Pd>,
    stores: Arc<Stores>,
    client: Client<Connector, Full<Bytes>>,
}

impl Backend {
    pub(super) fn new(pd: Arc<Pd>, stores: Arc<Stores>) -> Backend {
        let connector = Connector(pd.dialer().clone());
        let client = Client::builder(TokioExecutor::new()).build(connector);
        Backend { pd, stores, client }
    }

    /// Reads; `path` is whole and escaped.
    pub(super) async fn get(&self, path: &str) -> Result<Value, Problem> {
        match self.send(Method::GET, path, None).await {
            // Once more, to a leader found anew: reading twice harms nobody.
            Err(Problem::Fault(Fault::Unavailable(_))) => self.send(Method::GET, path, None).await,
            answer => answer,
        }
    }

    /// One call, never repeated.
    pub(super) async fn send(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
    ) -> Result<Value, Problem> {
        let leader = self.pd.leader().await?;
        let request = request(&leader, method, path, body)?;
        let answered = tokio::time::timeout(CALL_TIMEOUT, self.exchange(request)).await;
        let (status, bytes) = match answered {
            Ok(Ok(answer)) => answer,
            Ok(Err(fault)) => {
                self.pd.forget(&leader);
                return Err(unavailable(&fault));
            }
            Err(_) => {
                self.pd.forget(&leader);
                return Err(unavailable("no answer in time"));
            }
        };
        if status != StatusCode::OK {
            return Err(self.refused(&leader, status, &bytes));
        }
        // Some of PD's answers to writes are plain words.
        Ok(serde_json::from_slice(&bytes)
            .unwrap_or_else(|_| Value::String(String::from_utf8_lossy(&bytes).into_owned())))
    }

    async fn exchange(&self, request: Request<Full<Bytes>>) -> Result<(StatusCode, Bytes), String> {
        let answer = self
            .client
            .request(request)
            .await
            .map_err(|fault| fault.to_string())?;
        let status = answer.status();
        let body = Limited::new(answer.into_body(), MAX_ANSWER).collect().await;
        Ok((status, body.map_err(|fault| fault.to_string())?.to_bytes()))
    }

    fn refused(&self, leader: &Leader, status: StatusCode, body: &[u8]) -> Problem {
        let text = serde_json::from_slice::<Option<String>>(body)
            .map(Option::unwrap_or_default)
            .unwrap_or_else(|_| String::from_utf8_lossy(body).trim().to_owned());
        Problem::Upstream {
            status,
            text: shown(&text, &self.addresses(leader)),
        }
    }

    /// Addresses of the real cluster, without schemes.
    fn addresses(&self, leader: &Leader) -> Vec<String> {
        let members = leader.member_urls.iter().map(|url| {
            url.split_once("://")
                .map_or(url.as_str(), |(_, address)| address)
                .to_owned()
        });
        let stores = self.stores.all();
        members
            .chain(stores.values().map(|store| store.address.clone()))
            .collect()
    }
}

/// Connections for the HTTP client, secured as all others to the storage cluster.
#[derive(Clone)]
struct Connector(Dialer);

impl tower::Service<Uri> for Connector {
    type Response = TokioIo<Link>;
    type Error = io::Error;
    type Future = BoxFuture<'static, io::Result<TokioIo<Link>>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, address: Uri) -> Self::Future {
        let dialer = self.0.clone();
        Box::pin(async move {
            let link = tokio::time::timeout(CONNECT_TIMEOUT, dialer.http(&address)).await??;
            Ok(TokioIo::new(link))
        })
    }
}

fn request(
    leader: &Leader,
    method: Method,
    path: &str,
    body: Option<&Value>,
) -> Result<Request<Full<Bytes>>, Problem> {
    let body = body
        .map(|body| Bytes::from(body.to_string()))
        .unwrap_or_default();
    Request::builder()
        .method(method)
        .uri(format!("{}{path}", leader.url.trim_end_matches('/')))
        .header(header::CONTENT_TYPE, "application/json")
        .header("x-caller-id", CALLER)
        .body(Full::new(body))
        .map_err(|fault| Problem::BadRequest(format!("not a path: {fault}")))
}

fn unavailable(why: &str) -> Problem {
    tracing::warn!(why, "PD's HTTP API did not answer");
    Problem::Fault(Fault::Unavailable(
        "PD's HTTP API did not answer".to_owned(),
    ))
}
