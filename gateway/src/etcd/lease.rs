//! Service `Lease`: ids are the cluster's own, so a lease must be known as the tenant's before a
//! tenant may touch it.
//!
//! Ownership lives in etcd itself: a marker key, outside every tenant's prefix, attached to the
//! lease. It dies with the lease, every gateway sees it, and a crash between grant and marker
//! leaves a lease that is nobody's and expires.

use bytes::Bytes;
use mesh_proto::types::etcdserverpb::{
    LeaseGrantRequest, LeaseGrantResponse, LeaseKeepAliveRequest, LeaseKeepAliveResponse,
    LeaseRevokeRequest, LeaseRevokeResponse, LeaseTimeToLiveRequest, LeaseTimeToLiveResponse,
    PutRequest, PutResponse, RangeRequest, RangeResponse, ResponseHeader,
};
use tonic::{Status, Streaming};

use super::relay::{Rewrite, Step, relay};
use super::{Session, decoded_answer, encoded, kv};
use crate::fault::Fault;
use crate::grpc::Frames;

pub(super) const GRANT: &str = "/etcdserverpb.Lease/LeaseGrant";
pub(super) const REVOKE: &str = "/etcdserverpb.Lease/LeaseRevoke";
pub(super) const KEEP_ALIVE: &str = "/etcdserverpb.Lease/LeaseKeepAlive";
pub(super) const TIME_TO_LIVE: &str = "/etcdserverpb.Lease/LeaseTimeToLive";

/// What etcd reports as the time left of a lease that it doesn't know.
const NO_LEASE_TTL: i64 = -1;

/// Whose a lease is.
enum Ownership {
    Own,
    /// Another's, or gone: a tenant can't tell which. With the header of etcd's answer.
    Unknown(Option<ResponseHeader>),
}

/// Lets a call pass only if every lease that it would attach keys to is the tenant's.
pub(super) async fn require(
    session: &Session,
    leases: impl IntoIterator<Item = i64>,
) -> Result<(), Fault> {
    for lease in leases.into_iter().filter(|lease| *lease != 0) {
        if let Ownership::Unknown(_) = ownership(session, lease).await? {
            return Err(not_found());
        }
    }
    Ok(())
}

pub(super) async fn grant(session: &Session, request: LeaseGrantRequest) -> Result<Bytes, Fault> {
    if request.id != 0 {
        // Ids are shared by all tenants: a chosen one would tell whether another has it.
        return Err(Fault::Refused(
            "a lease id of the client's choice".to_owned(),
        ));
    }
    let answer: LeaseGrantResponse = session.call(GRANT, &request).await?;
    let marker = session.namespace.lease_marker(answer.id);
    let put = PutRequest {
        key: marker.clone(),
        lease: answer.id,
        ..Default::default()
    };
    let marked: Result<PutResponse, Fault> = session.call(kv::PUT, &put).await;
    if let Err(fault) = marked {
        let revoke = LeaseRevokeRequest { id: answer.id };
        // Left alone it would expire too; the first fault is the one to tell.
        let _: Result<LeaseRevokeResponse, Fault> = session.call(REVOKE, &revoke).await;
        return Err(fault);
    }
    session.leases.remember(marker);
    Ok(encoded(&answer))
}

pub(super) async fn revoke(session: &Session, request: LeaseRevokeRequest) -> Result<Bytes, Fault> {
    if let Ownership::Unknown(_) = ownership(session, request.id).await? {
        return Err(not_found());
    }
    let answer: LeaseRevokeResponse = session.call(REVOKE, &request).await?;
    session
        .leases
        .forget(&session.namespace.lease_marker(request.id));
    Ok(encoded(&answer))
}

pub(super) async fn time_to_live(
    session: &Session,
    request: LeaseTimeToLiveRequest,
) -> Result<Bytes, Fault> {
    if let Ownership::Unknown(header) = ownership(session, request.id).await? {
        let answer = LeaseTimeToLiveResponse {
            header,
            id: request.id,
            ttl: NO_LEASE_TTL,
            ..Default::default()
        };
        return Ok(encoded(&answer));
    }
    let mut answer: LeaseTimeToLiveResponse = session.call(TIME_TO_LIVE, &request).await?;
    let marker = session.namespace.lease_marker(request.id);
    answer.keys.retain(|key| *key != marker);
    for key in &mut answer.keys {
        *key = session.namespace.strip(key)?;
    }
    Ok(encoded(&answer))
}

pub(super) fn keep_alive(session: Session, client: Streaming<Bytes>) -> Frames {
    let rules = KeepAlive {
        session: session.clone(),
    };
    relay(&session, KEEP_ALIVE, client, rules)
}

struct KeepAlive {
    session: Session,
}

impl Rewrite for KeepAlive {
    async fn request(&self, frame: Bytes) -> Result<Step, Fault> {
        let request: LeaseKeepAliveRequest = self.session.request(frame)?;
        Ok(match ownership(&self.session, request.id).await? {
            Ownership::Own => Step::Forward(encoded(&request)),
            Ownership::Unknown(header) => {
                let answer = LeaseKeepAliveResponse {
                    header,
                    id: request.id,
                    ttl: 0,
                };
                Step::Answer(encoded(&answer))
            }
        })
    }

    fn answer(&self, frame: Bytes) -> Result<Bytes, Fault> {
        let answer: LeaseKeepAliveResponse = decoded_answer(frame)?;
        Ok(encoded(&answer))
    }
}

async fn ownership(session: &Session, lease: i64) -> Result<Ownership, Fault> {
    let marker = session.namespace.lease_marker(lease);
    if session.leases.knows(&marker) {
        return Ok(Ownership::Own);
    }
    let request = RangeRequest {
        key: marker.clone(),
        keys_only: true,
        ..Default::default()
    };
    let found: RangeResponse = session.call(kv::RANGE, &request).await?;
    // The marker must hang on the very lease that it names.
    if found.kvs.iter().any(|pair| pair.lease == lease) {
        session.leases.remember(marker);
        return Ok(Ownership::Own);
    }
    Ok(Ownership::Unknown(found.header))
}

/// etcd's own words for a lease that doesn't exist.
fn not_found() -> Fault {
    Status::not_found("etcdserver: requested lease not found").into()
}
