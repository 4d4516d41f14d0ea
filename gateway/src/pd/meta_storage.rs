//! MetaStorage: PD lets anybody read its whole etcd through it, so only what clients have a reason
//! to read is there for a tenant, and only as far as it is the tenant's.
//!
//! | names | answer |
//! |---|---|
//! | `resource_group/settings…` | the tenant's own groups and `default`, under their own names |
//! | `resource_group/controller…` | as it is: parameters of the client's own controller |
//! | `resource_group/keyspace/…`, `/ms/…` (discovery of PD's services) | nothing |
//! | anything else | refused |

use std::sync::Arc;

use bytes::Bytes;
use futures::{StreamExt, stream};
use mesh_keyspace::Keyspace;
use mesh_proto::types::{meta_storagepb, resource_manager};
use prost::Message;
use tonic::{Response, Status};

use super::{request, resource_groups};
use crate::fault::Fault;
use crate::grpc::{self, Call, Frames};
use crate::upstream::Pd;

const SETTINGS: &[u8] = b"resource_group/settings";
const SETTINGS_START: &[u8] = b"resource_group/settings/";
const SETTINGS_END: &[u8] = b"resource_group/settings0";
/// Clients ask for the prefix without the slash, which ends here.
const SETTINGS_LAST_END: &[u8] = b"resource_group/settingt";
/// etcd's way to write "no upper bound".
const OPEN_END: &[u8] = &[0];
const CONTROLLER: &[u8] = b"resource_group/controller";
const CONTROLLER_END: &[u8] = b"resource_group/controlles";
const ABSENT: [&[u8]; 2] = [b"resource_group/keyspace/", b"/ms/"];

/// Answers for meta_storagepb.
pub(super) struct MetaStorage {
    pd: Arc<Pd>,
}

/// What a range of names is about.
#[derive(Debug, PartialEq, Eq)]
enum Asked {
    Groups,
    Controller,
    Nothing,
}

impl MetaStorage {
    pub(super) fn new(pd: Arc<Pd>) -> MetaStorage {
        MetaStorage { pd }
    }

    pub(super) async fn get(&self, call: Call) -> Result<Response<Frames>, Fault> {
        let path = call.rpc.path;
        let (tenant, mut request) = request::take::<meta_storagepb::GetRequest>(call).await?;
        let (key, end) = (request.key.clone(), request.range_end.clone());
        match asked(&key, &end)? {
            Asked::Nothing => return Ok(grpc::unary(&self.nothing().await?)),
            Asked::Controller => {
                let answer: meta_storagepb::GetResponse = self.pd.call(path, &request).await?;
                return Ok(grpc::unary(&answer));
            }
            Asked::Groups => {}
        }
        // All groups are few; the limit counts the tenant's.
        let limit = usize::try_from(request.limit).unwrap_or(0);
        request.key = Bytes::from_static(SETTINGS_START);
        request.range_end = Bytes::from_static(SETTINGS_END);
        request.limit = 0;
        let mut answer: meta_storagepb::GetResponse = self.pd.call(path, &request).await?;
        let kvs = answer
            .kvs
            .into_iter()
            .filter_map(|kv| own_pair(&tenant.keyspace, kv));
        let mut kvs: Vec<_> = kvs.filter(|kv| in_range(&kv.key, &key, &end)).collect();
        kvs.sort_by(|one, other| one.key.cmp(&other.key));
        answer.count = i64::try_from(kvs.len()).unwrap_or(i64::MAX);
        answer.more = limit > 0 && kvs.len() > limit;
        if answer.more {
            kvs.truncate(limit);
        }
        answer.kvs = kvs;
        Ok(grpc::unary(&answer))
    }

    pub(super) async fn watch(&self, call: Call) -> Result<Response<Frames>, Fault> {
        let path = call.rpc.path;
        let (tenant, mut request) = request::take::<meta_storagepb::WatchRequest>(call).await?;
        let (key, end) = (request.key.clone(), request.range_end.clone());
        let asked = asked(&key, &end)?;
        if asked == Asked::Nothing {
            return Ok(Response::new(stream::pending().boxed()));
        }
        if asked == Asked::Groups {
            request.key = Bytes::from_static(SETTINGS_START);
            request.range_end = Bytes::from_static(SETTINGS_END);
        }
        let frame = Bytes::from(request.encode_to_vec());
        let answers = self
            .pd
            .stream(path, stream::once(async move { frame }))
            .await?
            .into_inner();
        let keyspace = tenant.keyspace;
        let answers = answers.filter_map(move |answer| {
            let own = answer
                .map_err(Fault::of_storage)
                .and_then(|frame| match asked {
                    Asked::Groups => own_events(&keyspace, frame, (&key, &end)),
                    Asked::Controller | Asked::Nothing => Ok(Some(frame)),
                });
            std::future::ready(own.map_err(Status::from).transpose())
        });
        Ok(Response::new(answers.boxed()))
    }

    async fn nothing(&self) -> Result<meta_storagepb::GetResponse, Fault> {
        let cluster_id = self.pd.leader().await?.cluster_id;
        let header = meta_storagepb::ResponseHeader {
            cluster_id,
            ..Default::default()
        };
        Ok(meta_storagepb::GetResponse {
            header: Some(header),
            ..Default::default()
        })
    }
}

/// etcd's ranges: no end is a single key.
fn asked(key: &[u8], end: &[u8]) -> Result<Asked, Fault> {
    if key.starts_with(SETTINGS) && end <= SETTINGS_LAST_END && end != OPEN_END {
        return Ok(Asked::Groups);
    }
    if key == CONTROLLER && (end.is_empty() || end == CONTROLLER_END) {
        return Ok(Asked::Controller);
    }
    if ABSENT.iter().any(|name| key.starts_with(name)) {
        return Ok(Asked::Nothing);
    }
    Err(Fault::Refused(
        "this name of PD's metadata is not a tenant's".to_owned(),
    ))
}

fn in_range(key: &[u8], start: &[u8], end: &[u8]) -> bool {
    if end.is_empty() {
        key == start
    } else {
        key >= start && key < end
    }
}

fn own_pair(
    keyspace: &Keyspace,
    mut kv: meta_storagepb::KeyValue,
) -> Option<meta_storagepb::KeyValue> {
    let group = resource_manager::ResourceGroup::decode(kv.value.clone()).ok()?;
    let group = resource_groups::own(keyspace, group)?;
    kv.key = [SETTINGS_START, group.name.as_bytes()].concat().into();
    kv.value = group.encode_to_vec().into();
    Some(kv)
}

fn own_events(
    keyspace: &Keyspace,
    frame: Bytes,
    (start, end): (&[u8], &[u8]),
) -> Result<Option<Bytes>, Fault> {
    let mut answer = meta_storagepb::WatchResponse::decode(frame)
        .map_err(|fault| Fault::BadAnswer(format!("watch: {fault}")))?;
    let told_nothing = answer.events.is_empty();
    let events = answer
        .events
        .into_iter()
        .filter_map(|event| own_event(keyspace, event));
    answer.events = events
        .filter(|event| {
            event
                .kv
                .as_ref()
                .is_some_and(|kv| in_range(&kv.key, start, end))
        })
        .collect();
    // An answer about others' groups only is none.
    let is_own = told_nothing || !answer.events.is_empty();
    Ok(is_own.then(|| answer.encode_to_vec().into()))
}

fn own_event(keyspace: &Keyspace, event: meta_storagepb::Event) -> Option<meta_storagepb::Event> {
    let kv = event.kv?;
    let prev_kv = event
        .prev_kv
        .and_then(|previous| own_pair(keyspace, previous));
    if event.r#type == i32::from(meta_storagepb::event::EventType::Put) {
        let kv = Some(own_pair(keyspace, kv)?);
        return Some(meta_storagepb::Event {
            kv,
            prev_kv,
            ..event
        });
    }
    // A deleted group has no value any more: its name is in the key.
    let name = kv.key.strip_prefix(SETTINGS_START)?;
    let name = crate::scoped_name::unscope(keyspace, name)?;
    let key = [SETTINGS_START, name].concat().into();
    let kv = Some(meta_storagepb::KeyValue { key, ..kv });
    Some(meta_storagepb::Event {
        kv,
        prev_kv,
        ..event
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_known_names_are_read() {
        let groups = asked(b"resource_group/settings", b"resource_group/settingt").unwrap();
        assert_eq!(groups, Asked::Groups);
        assert_eq!(
            asked(b"resource_group/settings/rg1", b"").unwrap(),
            Asked::Groups
        );
        assert_eq!(asked(CONTROLLER, b"").unwrap(), Asked::Controller);
        assert_eq!(
            asked(CONTROLLER, CONTROLLER_END).unwrap(),
            Asked::Controller
        );
        assert_eq!(
            asked(b"/ms/7/tso/registry/", b"/ms/7/tso/registry0").unwrap(),
            Asked::Nothing
        );
        for (key, end) in [
            (&b"/pd/7/"[..], &b"/pd/70"[..]),
            (b"resource_group/settings", b"\xff"),
            (CONTROLLER, b"\0"),
            (b"resource_group/", b"resource_group0"),
            (b"/tidb-mesh/v1/tenants/", b""),
            (b"\0", b"\0"),
        ] {
            assert!(asked(key, end).is_err());
        }
    }
}
