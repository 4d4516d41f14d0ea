//! PD's HTTP API as one tenant sees it.
//!
//! TiDB asks it for regions, placement, labels and the cluster's members. What must stay true:
//! only calls of the closed table in [`allow`] are answered, and each is answered by its own
//! handler, never by forwarding what came; keys in an answer are the tenant's, clipped to it; the
//! only addresses in an answer are the gateway's own.

mod allow;
mod backend;
mod bounds;
mod bundles;
mod cluster;
mod config;
mod forget;
mod hotspot;
mod labels;
mod members;
mod problem;
mod query;
mod region_json;
mod regions;
mod rule_json;
mod rules;
mod scope;
mod stats;
mod stores;

use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderValue, Method, Request, Response, StatusCode, header};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use mesh_admin_client::DiskUse;
use mesh_keyspace::Keyspace;
use serde_json::Value;
use tonic::body::Body;

use crate::fault::Fault;
use crate::tenant::Tenant;
use crate::upstream::{Pd, Stores};
use allow::Route;
use backend::Backend;
use problem::Problem;
use query::Query;

/// The largest call that TiDB makes is a batch of placement bundles, far below this.
const MAX_REQUEST_BODY: usize = 4 * 1024 * 1024;

/// Serves PD's HTTP API to tenants.
pub struct HttpService {
    backend: Backend,
}

/// One request of a tenant.
struct Visit<'a> {
    tenant: &'a Tenant,
    backend: &'a Backend,
    /// Method and path, for messages.
    call: String,
    query: Query,
    body: Bytes,
}

/// What a handler gives: a JSON value, as nearly all of PD's answers are.
type Answer = Result<Value, Problem>;

impl HttpService {
    /// A service that asks `pd` and knows `stores`.
    pub fn new(pd: Arc<Pd>, stores: Arc<Stores>) -> HttpService {
        HttpService {
            backend: Backend::new(pd, stores),
        }
    }

    /// Deletes the placement and label rules of a tenant that is being destroyed.
    ///
    /// # Errors
    /// [`Fault`] when PD does not do it.
    pub async fn forget(&self, tenant: &Tenant) -> Result<(), Fault> {
        forget::rules_of(&self.backend, &scope::Scope::of(tenant))
            .await
            .map_err(Problem::into_fault)
    }

    /// What the regions in a keyspace's ranges take on disk, about; each copy counted once.
    ///
    /// # Errors
    /// [`Fault`] when PD does not tell.
    pub async fn disk_use(&self, keyspace: &Keyspace) -> Result<DiskUse, Fault> {
        stats::disk_use(&self.backend, keyspace)
            .await
            .map_err(Problem::into_fault)
    }

    /// Serves one request. Faults are answers with a status of PD's kind.
    pub async fn serve(&self, tenant: &Arc<Tenant>, request: Request<Incoming>) -> Response<Body> {
        let (head, body) = request.into_parts();
        let answer = match collected(body).await {
            Ok(body) => self.answer(tenant, &head, body).await,
            Err(problem) => Err(problem),
        };
        match answer {
            Ok(value) => response(StatusCode::OK, &value),
            Err(problem) => {
                tracing::debug!(
                    tenant = %tenant.name,
                    path = head.uri.path(),
                    %problem,
                    "PD HTTP call not served"
                );
                response(problem.status(), &Value::String(problem.to_string()))
            }
        }
    }

    async fn answer(&self, tenant: &Tenant, head: &http::request::Parts, body: Bytes) -> Answer {
        let path = head.uri.path();
        let Some(route) = allow::route(&head.method, path) else {
            return Err(unlisted(&head.method, path));
        };
        let query = Query::parse(head.uri.query().unwrap_or_default());
        Visit {
            tenant,
            backend: &self.backend,
            call: named(&head.method, path),
            query,
            body,
        }
        .serve(route)
        .await
    }
}

impl Visit<'_> {
    async fn serve(&self, route: Route) -> Answer {
        match route {
            Route::Members(call) => members::serve(self, call).await,
            Route::Cluster(call) => cluster::serve(self, call).await,
            Route::Config(section) => config::serve(self, section).await,
            Route::Stores(call) => stores::serve(self, call).await,
            Route::Regions(call) => regions::serve(self, call).await,
            Route::Stats => stats::serve(self).await,
            Route::Hotspot(call) => hotspot::serve(self, call).await,
            Route::Rules(call) => rules::serve(self, call).await,
            Route::Bundles(call) => bundles::serve(self, call).await,
            Route::Labels(call) => labels::serve(self, call).await,
            Route::Fixed(value) => Ok(value),
            Route::Refused(why) => Err(refused(&self.call, why)),
        }
    }

    /// The request's body as JSON.
    fn json(&self) -> Answer {
        serde_json::from_slice(&self.body)
            .map_err(|fault| Problem::BadRequest(format!("body is not JSON: {fault}")))
    }
}

async fn collected(body: Incoming) -> Result<Bytes, Problem> {
    match Limited::new(body, MAX_REQUEST_BODY).collect().await {
        Ok(body) => Ok(body.to_bytes()),
        Err(fault) => Err(Problem::BadRequest(format!("body not read: {fault}"))),
    }
}

/// PD answers 404 to what it doesn't have; a write that is not a tenant's is forbidden. Clients
/// try another member on any other status.
fn unlisted(method: &Method, path: &str) -> Problem {
    let call = named(method, path);
    if method == Method::GET {
        return Problem::NotFound(format!("{call} is not served to tenants of TiDB Mesh"));
    }
    refused(&call, "it is not served to tenants")
}

fn refused(call: &str, why: &str) -> Problem {
    Problem::Refused(format!("{call} is refused by TiDB Mesh: {why}"))
}

/// A call by its name, cut to a sane length.
fn named(method: &Method, path: &str) -> String {
    let path: String = path.chars().take(200).collect();
    format!("{method} {path}")
}

fn response(status: StatusCode, value: &Value) -> Response<Body> {
    let body = Full::new(Bytes::from(value.to_string()));
    let mut response = Response::new(Body::new(body));
    *response.status_mut() = status;
    let json = HeaderValue::from_static("application/json; charset=UTF-8");
    response.headers_mut().insert(header::CONTENT_TYPE, json);
    response
}
