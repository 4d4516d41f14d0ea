//! PD's embedded etcd as one tenant sees it.
//!
//! TiDB keeps its owner elections, schema versions, server registry and safe points in the etcd
//! that PD embeds, at fixed names, so every tenant gets a name space of its own: a fixed-width,
//! slash-terminated prefix in front of every key.
//!
//! What must stay true: a request names keys inside the tenant's prefix and leases that the tenant
//! was granted, and nothing else; an answer that holds any other key is a fault, never a key.
//! Revisions and lease ids are the cluster's own and pass unchanged. Statuses of etcd pass
//! verbatim, because its clients compare texts.

mod choices;
mod cluster;
mod kv;
mod lease;
mod namespace;
mod owned;
mod relay;
mod txn;
mod upstream;
mod watch;

pub use namespace::Namespace;

use std::sync::Arc;

use bytes::Bytes;
use mesh_proto::{Rpc, Unknown, Walker};
use prost::Message;
use tonic::Response;

use crate::fault::Fault;
use crate::grpc::{Call, Frames, unary_bytes};
use crate::tenant::Tenant;
use crate::upstream::Pd;
use owned::OwnedLeases;
use upstream::{Metadata, Upstream};

/// Serves etcd's RPCs to tenants.
#[derive(Clone)]
pub struct EtcdService {
    upstream: Upstream,
    leases: Arc<OwnedLeases>,
}

/// One call with all that its handler needs to know.
#[derive(Clone)]
struct Session {
    rpc: &'static Rpc,
    tenant: Arc<Tenant>,
    namespace: Namespace,
    metadata: Metadata,
    upstream: Upstream,
    leases: Arc<OwnedLeases>,
}

impl EtcdService {
    /// A service that asks the etcd of `pd`.
    pub fn new(pd: Arc<Pd>) -> EtcdService {
        EtcdService {
            upstream: Upstream::new(pd),
            leases: Arc::default(),
        }
    }

    /// Serves one call whose service is one of `etcdserverpb`.
    ///
    /// # Errors
    /// etcd's own status, or the fault that kept the call from it.
    pub async fn serve(&self, mut call: Call) -> Result<Response<Frames>, Fault> {
        let session = self.session(&call);
        match call.rpc.path {
            watch::WATCH => return Ok(Response::new(watch::serve(session, call.frames))),
            lease::KEEP_ALIVE => return Ok(Response::new(lease::keep_alive(session, call.frames))),
            _ => {}
        }
        let request = call.message().await?;
        Ok(unary_bytes(session.unary(request).await?))
    }

    fn session(&self, call: &Call) -> Session {
        Session {
            rpc: call.rpc,
            tenant: call.tenant.clone(),
            namespace: Namespace::of(&call.tenant),
            metadata: Metadata::of(&call.metadata),
            upstream: self.upstream.clone(),
            leases: self.leases.clone(),
        }
    }
}

impl Session {
    async fn unary(&self, frame: Bytes) -> Result<Bytes, Fault> {
        match self.rpc.path {
            kv::RANGE => kv::range(self, self.request(frame)?).await,
            kv::PUT => kv::put(self, self.request(frame)?).await,
            kv::DELETE_RANGE => kv::delete_range(self, self.request(frame)?).await,
            kv::TXN => kv::txn(self, self.request(frame)?).await,
            lease::GRANT => lease::grant(self, self.request(frame)?).await,
            lease::REVOKE => lease::revoke(self, self.request(frame)?).await,
            lease::TIME_TO_LIVE => lease::time_to_live(self, self.request(frame)?).await,
            cluster::MEMBER_LIST => cluster::member_list(self, self.request(frame)?).await,
            path => Err(Fault::RefusedRpc {
                path,
                why: "it concerns the whole storage cluster",
            }),
        }
    }

    /// A message of the client. prost forgives what the tables don't (unknown fields, a singular
    /// field twice), so the message is walked by its table first.
    fn request<M: Message + Default>(&self, frame: Bytes) -> Result<M, Fault> {
        let bad = |fault: String| Fault::BadRequest(format!("{}: {fault}", self.rpc.path));
        Walker::new()
            .validate(self.rpc.request, &frame, &mut |_, _| Unknown::Refuse)
            .map_err(|error| match error.fault {
                mesh_proto::Fault::Missing => namespace::no_key(),
                _ => bad(error.to_string()),
            })?;
        M::decode(frame).map_err(|fault| bad(fault.to_string()))
    }
}

fn decoded_answer<M: Message + Default>(frame: Bytes) -> Result<M, Fault> {
    M::decode(frame).map_err(|fault| Fault::BadAnswer(format!("etcd: {fault}")))
}

fn encoded<M: Message>(message: &M) -> Bytes {
    message.encode_to_vec().into()
}
