//! One connection to one of several endpoints, replaced by the next endpoint's when it fails.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::Mutex;
use tonic::transport::{Channel, Endpoint};

use super::EtcdError;

/// Bounds in time of a client's work.
#[derive(Debug, Clone, Copy)]
pub struct Timeouts {
    /// Connecting to one endpoint.
    pub connect: Duration,
    /// One attempt of a unary call, once connected.
    pub request: Duration,
}

impl Default for Timeouts {
    /// Connecting is a local affair (2 s). A request may have to wait for etcd's election, whose
    /// timeout PD sets to 3 s, so it gets 7 s, etcd's own bound of a proposal.
    fn default() -> Self {
        Timeouts {
            connect: Duration::from_secs(2),
            request: Duration::from_secs(7),
        }
    }
}

/// etcd closes connections that ping more often than every 5 s, or without an open stream.
const KEEP_ALIVE_INTERVAL: Duration = Duration::from_secs(10);
const KEEP_ALIVE_TIMEOUT: Duration = Duration::from_secs(5);

/// How connections to etcd are made: its user may need TLS, which this client knows nothing of.
#[async_trait]
pub trait Dial: Send + Sync {
    /// Connects to an endpoint.
    ///
    /// # Errors
    /// When there is no connection.
    async fn dial(&self, endpoint: &Endpoint) -> Result<Channel, tonic::transport::Error>;

    /// Scheme of the endpoints' URLs: `http` or `https`.
    fn scheme(&self) -> &'static str;
}

/// Connects in the clear.
#[derive(Debug, Clone, Copy, Default)]
pub struct InTheClear;

#[async_trait]
impl Dial for InTheClear {
    async fn dial(&self, endpoint: &Endpoint) -> Result<Channel, tonic::transport::Error> {
        endpoint.connect().await
    }

    fn scheme(&self) -> &'static str {
        "http"
    }
}

pub(super) struct Pool {
    dial: Arc<dyn Dial>,
    endpoints: Vec<Endpoint>,
    names: String,
    timeouts: Timeouts,
    slot: Mutex<Slot>,
}

/// The connection in use. `generation` tells a failure of this connection from one of its
/// predecessors, so that a burst of failures moves on by one endpoint only.
struct Slot {
    endpoint: usize,
    generation: u64,
    channel: Option<Channel>,
}

#[derive(Clone)]
pub(super) struct Connection {
    pub(super) channel: Channel,
    generation: u64,
}

impl Pool {
    pub(super) fn new(
        endpoints: &[String],
        timeouts: Timeouts,
        dial: Arc<dyn Dial>,
    ) -> Result<Arc<Pool>, EtcdError> {
        let names = endpoints.join(",");
        let endpoints = endpoints
            .iter()
            .map(|text| endpoint(text, timeouts, dial.scheme()))
            .collect::<Result<Vec<_>, _>>()?;
        if endpoints.is_empty() {
            return Err(EtcdError::BadEndpoint {
                endpoint: String::new(),
                why: "no endpoint is given".to_owned(),
            });
        }
        let slot = Mutex::new(Slot {
            endpoint: 0,
            generation: 0,
            channel: None,
        });
        Ok(Arc::new(Pool {
            dial,
            endpoints,
            names,
            timeouts,
            slot,
        }))
    }

    pub(super) fn timeouts(&self) -> Timeouts {
        self.timeouts
    }

    pub(super) fn endpoints(&self) -> usize {
        self.endpoints.len()
    }

    /// The connection in use, or a new one to the first endpoint that takes it. Callers that come
    /// while one connects wait for its result instead of connecting too.
    pub(super) async fn connection(&self) -> Result<Connection, EtcdError> {
        let mut slot = self.slot.lock().await;
        if let Some(channel) = &slot.channel {
            return Ok(Connection {
                channel: channel.clone(),
                generation: slot.generation,
            });
        }
        let mut why = String::new();
        for step in 0..self.endpoints.len() {
            let index = (slot.endpoint + step) % self.endpoints.len();
            let Some(endpoint) = self.endpoints.get(index) else {
                continue;
            };
            match tokio::time::timeout(self.timeouts.connect, self.dial.dial(endpoint)).await {
                Ok(Ok(channel)) => {
                    slot.endpoint = index;
                    slot.generation += 1;
                    slot.channel = Some(channel.clone());
                    return Ok(Connection {
                        channel,
                        generation: slot.generation,
                    });
                }
                Ok(Err(error)) => why = chain(&error),
                Err(_) => why = format!("no connection within {:?}", self.timeouts.connect),
            }
        }
        Err(EtcdError::Unreachable {
            endpoints: self.names.clone(),
            why,
        })
    }

    /// Drops a connection that failed, so that the next call begins with the next endpoint.
    pub(super) async fn failed(&self, connection: &Connection) {
        let mut slot = self.slot.lock().await;
        if slot.generation == connection.generation {
            slot.channel = None;
            slot.endpoint = (slot.endpoint + 1) % self.endpoints.len();
        }
    }
}

fn endpoint(text: &str, timeouts: Timeouts, scheme: &str) -> Result<Endpoint, EtcdError> {
    let fault = |why: String| EtcdError::BadEndpoint {
        endpoint: text.to_owned(),
        why,
    };
    let url = match text.split_once("://") {
        None => format!("{scheme}://{text}"),
        Some((named, _)) if named == scheme => text.to_owned(),
        Some(_) => return Err(fault(format!("connections here are made with {scheme}"))),
    };
    let endpoint = Endpoint::from_shared(url).map_err(|error| fault(error.to_string()))?;
    if endpoint.uri().port().is_none() {
        return Err(fault("the port is missing".to_owned()));
    }
    Ok(endpoint
        .connect_timeout(timeouts.connect)
        .tcp_nodelay(true)
        .http2_keep_alive_interval(KEEP_ALIVE_INTERVAL)
        .keep_alive_timeout(KEEP_ALIVE_TIMEOUT)
        .keep_alive_while_idle(false))
}

/// An error with its causes: tonic's outermost text is only "transport error".
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        text = format!("{text}: {inner}");
        cause = inner.source();
    }
    text
}
