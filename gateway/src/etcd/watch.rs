//! Service `Watch`: one stream of etcd's per stream of the client, so watch ids, fragments,
//! progress and the order of events are etcd's own. Only keys change.

use bytes::Bytes;
use mesh_proto::types::etcdserverpb::{WatchRequest, WatchResponse, watch_request::RequestUnion};
use tonic::Streaming;

use super::namespace::Namespace;
use super::relay::{Rewrite, Step, relay};
use super::{Session, decoded_answer, encoded};
use crate::fault::Fault;
use crate::grpc::Frames;

pub(super) const WATCH: &str = "/etcdserverpb.Watch/Watch";

struct Watch {
    session: Session,
}

pub(super) fn serve(session: Session, client: Streaming<Bytes>) -> Frames {
    relay(
        &session,
        WATCH,
        client,
        Watch {
            session: session.clone(),
        },
    )
}

impl Rewrite for Watch {
    async fn request(&self, frame: Bytes) -> Result<Step, Fault> {
        let mut request: WatchRequest = self.session.request(frame)?;
        map(&self.session.namespace, &mut request)?;
        Ok(Step::Forward(encoded(&request)))
    }

    fn answer(&self, frame: Bytes) -> Result<Bytes, Fault> {
        let mut answer: WatchResponse = decoded_answer(frame)?;
        strip(&self.session.namespace, &mut answer)?;
        Ok(encoded(&answer))
    }
}

fn map(space: &Namespace, request: &mut WatchRequest) -> Result<(), Fault> {
    match &mut request.request_union {
        Some(RequestUnion::CreateRequest(create)) => {
            if create.key.is_empty() {
                // To a watch, and only there, no key is the least key.
                create.key = Bytes::from_static(&[0]);
            }
            space.map_range(&mut create.key, &mut create.range_end)
        }
        Some(RequestUnion::CancelRequest(_) | RequestUnion::ProgressRequest(_)) => Ok(()),
        None => Err(Fault::BadRequest(
            "etcd: a watch request of an unknown kind".to_owned(),
        )),
    }
}

fn strip(space: &Namespace, answer: &mut WatchResponse) -> Result<(), Fault> {
    for event in &mut answer.events {
        space.strip_all(&mut event.kv)?;
        space.strip_all(&mut event.prev_kv)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use mesh_proto::types::etcdserverpb::{
        WatchCancelRequest, WatchCreateRequest, WatchProgressRequest,
    };
    use mesh_proto::types::mvccpb::{Event, KeyValue};

    use super::*;

    fn space() -> Namespace {
        Namespace::new("/tidb-mesh-data/01000007/")
    }

    fn created(key: &str, range_end: &[u8]) -> (String, String) {
        let create = WatchCreateRequest {
            key: Bytes::copy_from_slice(key.as_bytes()),
            range_end: Bytes::copy_from_slice(range_end),
            ..Default::default()
        };
        let mut request = WatchRequest {
            request_union: Some(RequestUnion::CreateRequest(create)),
        };
        map(&space(), &mut request).unwrap();
        let Some(RequestUnion::CreateRequest(create)) = request.request_union else {
            panic!("the kind of request changed")
        };
        let text = |bytes: Bytes| String::from_utf8(bytes.to_vec()).unwrap();
        (text(create.key), text(create.range_end))
    }

    #[test]
    fn bounds_of_a_watch_stay_inside() {
        let prefix = "/tidb-mesh-data/01000007/";
        assert_eq!(created("a", b""), (format!("{prefix}a"), String::new()));
        assert_eq!(
            created("a", b"b"),
            (format!("{prefix}a"), format!("{prefix}b"))
        );
        assert_eq!(
            created("", b"\0"),
            (format!("{prefix}\0"), "/tidb-mesh-data/010000070".into())
        );
    }

    #[test]
    fn cancel_and_progress_pass_and_nothing_else_does() {
        for union in [
            RequestUnion::CancelRequest(WatchCancelRequest { watch_id: 3 }),
            RequestUnion::ProgressRequest(WatchProgressRequest {}),
        ] {
            map(
                &space(),
                &mut WatchRequest {
                    request_union: Some(union),
                },
            )
            .unwrap();
        }
        assert!(
            map(
                &space(),
                &mut WatchRequest {
                    request_union: None
                }
            )
            .is_err()
        );
    }

    #[test]
    fn events_are_stripped_and_foreign_ones_are_faults() {
        let pair = |key: &'static str| {
            Some(KeyValue {
                key: Bytes::from_static(key.as_bytes()),
                ..Default::default()
            })
        };
        let event = |kv, prev_kv| WatchResponse {
            events: vec![Event {
                kv,
                prev_kv,
                ..Default::default()
            }],
            ..Default::default()
        };
        let mut own = event(
            pair("/tidb-mesh-data/01000007/a"),
            pair("/tidb-mesh-data/01000007/a"),
        );
        strip(&space(), &mut own).unwrap();
        assert_eq!(own.events[0].kv.as_ref().unwrap().key, "a");
        assert_eq!(own.events[0].prev_kv.as_ref().unwrap().key, "a");
        assert!(
            strip(
                &space(),
                &mut event(pair("/tidb-mesh-data/01000008/a"), None)
            )
            .is_err()
        );
        assert!(
            strip(
                &space(),
                &mut event(pair("/tidb-mesh-data/01000007/a"), pair("/x"))
            )
            .is_err()
        );
    }
}
