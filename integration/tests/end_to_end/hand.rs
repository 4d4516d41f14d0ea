//! A client of one tenant that is no TiDB: it asks PD where a key is and writes it, so that tests
//! have data, old versions and locks in a tenant without waiting for a server's bootstrap.

use std::time::{SystemTime, UNIX_EPOCH};

use mesh_integration::admin::TenantInfo;
use mesh_keyspace::memcomparable;
use mesh_proto::types::{kvrpcpb, metapb, pdpb};
use prost::Message;
use tonic::Status;
use tonic::transport::Channel;

use crate::rawrpc::{call, channel};

pub(crate) struct Hand {
    pd: Channel,
    tenant: TenantInfo,
    cluster: u64,
}

/// Where a key is, and how to say so.
struct Place {
    store: Channel,
    context: kvrpcpb::Context,
}

impl Hand {
    pub(crate) async fn of(tenant: &TenantInfo) -> Hand {
        let pd = channel(&tenant.pd).await;
        let members: pdpb::GetMembersResponse = ask(
            &pd,
            "/pdpb.PD/GetMembers",
            &pdpb::GetMembersRequest::default(),
        )
        .await
        .expect("members");
        Hand {
            pd,
            tenant: tenant.clone(),
            cluster: members.header.expect("a header").cluster_id,
        }
    }

    /// A timestamp of about now, as PD's oracle makes them.
    pub(crate) fn now() -> u64 {
        let since = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .expect("a clock");
        u64::try_from(since.as_millis()).expect("this age") << 18
    }

    /// An entry of an index of table `table` as the tenant names it; rows would have to be encoded.
    pub(crate) fn key(table: u8, entry: u32) -> Vec<u8> {
        let mut key = vec![b't', 0x80, 0, 0, 0, 0, 0, 0, table];
        key.extend_from_slice(b"_i\x80\0\0\0\0\0\0\x01");
        key.extend_from_slice(&[0x03, 0x80, 0, 0, 0]);
        key.extend_from_slice(&entry.to_be_bytes());
        key
    }

    /// Writes and commits one version.
    pub(crate) async fn put(&self, key: &[u8], value: &[u8], ts: u64) -> Result<(), Status> {
        self.lock(key, value, ts).await?;
        let place = self.place(key).await?;
        let request = kvrpcpb::CommitRequest {
            context: Some(place.context),
            keys: vec![key.to_vec().into()],
            start_version: ts,
            commit_version: ts + 1,
            ..Default::default()
        };
        let done: kvrpcpb::CommitResponse =
            ask(&place.store, "/tikvpb.Tikv/KvCommit", &request).await?;
        assert!(
            done.error.is_none() && done.region_error.is_none(),
            "{done:?}"
        );
        Ok(())
    }

    /// Leaves a lock.
    pub(crate) async fn lock(&self, key: &[u8], value: &[u8], ts: u64) -> Result<(), Status> {
        let place = self.place(key).await?;
        let request = kvrpcpb::PrewriteRequest {
            context: Some(place.context),
            mutations: vec![kvrpcpb::Mutation {
                op: kvrpcpb::Op::Put.into(),
                key: key.to_vec().into(),
                value: value.to_vec().into(),
                ..Default::default()
            }],
            primary_lock: key.to_vec().into(),
            start_version: ts,
            lock_ttl: 1000,
            ..Default::default()
        };
        let done: kvrpcpb::PrewriteResponse =
            ask(&place.store, "/tikvpb.Tikv/KvPrewrite", &request).await?;
        assert!(
            done.errors.is_empty() && done.region_error.is_none(),
            "{done:?}"
        );
        Ok(())
    }

    /// What is there at `ts`.
    pub(crate) async fn get(&self, key: &[u8], ts: u64) -> Result<Vec<u8>, Status> {
        let place = self.place(key).await?;
        let request = kvrpcpb::GetRequest {
            context: Some(place.context),
            key: key.to_vec().into(),
            version: ts,
            ..Default::default()
        };
        let found: kvrpcpb::GetResponse = ask(&place.store, "/tikvpb.Tikv/KvGet", &request).await?;
        assert!(
            found.error.is_none() && found.region_error.is_none(),
            "{found:?}"
        );
        Ok(found.value.to_vec())
    }

    /// Whether a store's port answers a read that it is busy, in the form that clients wait on.
    pub(crate) async fn is_told_busy(store: &Channel, key: &[u8]) -> bool {
        let request = kvrpcpb::GetRequest {
            context: Some(kvrpcpb::Context::default()),
            key: key.to_vec().into(),
            version: 1,
            ..Default::default()
        };
        let answer: kvrpcpb::GetResponse = ask(store, "/tikvpb.Tikv/KvGet", &request)
            .await
            .expect("an answer, not a status");
        let busy = answer.region_error.and_then(|error| error.server_is_busy);
        busy.is_some_and(|busy| busy.backoff_ms > 0 && busy.estimated_wait_ms > 0)
    }

    async fn place(&self, key: &[u8]) -> Result<Place, Status> {
        let mut region_key = Vec::new();
        memcomparable::encode(key, &mut region_key);
        let request = pdpb::GetRegionRequest {
            header: Some(pdpb::RequestHeader {
                cluster_id: self.cluster,
                ..Default::default()
            }),
            region_key: region_key.into(),
            ..Default::default()
        };
        let found: pdpb::GetRegionResponse = ask(&self.pd, "/pdpb.PD/GetRegion", &request).await?;
        let (region, leader): (metapb::Region, metapb::Peer) = (
            found.region.expect("a region"),
            found.leader.expect("a leader"),
        );
        let stores = &self.tenant.stores;
        let store = stores.iter().find(|store| store.id == leader.store_id);
        Ok(Place {
            store: channel(&store.expect("a port for the store").address).await,
            context: kvrpcpb::Context {
                region_id: region.id,
                region_epoch: region.region_epoch,
                peer: Some(leader),
                ..Default::default()
            },
        })
    }
}

async fn ask<A: Message + Default>(
    channel: &Channel,
    path: &str,
    request: &impl Message,
) -> Result<A, Status> {
    let answer = call(channel, path, request.encode_to_vec()).await?;
    Ok(A::decode(answer.as_slice()).expect("an answer of this type"))
}
