//! Service `Cluster`: the gateway is the one member that a tenant knows.
//!
//! etcd's clients replace their endpoints by the member list every few seconds, so an address of
//! the real cluster in it would lead a tenant around the gateway.

use bytes::Bytes;
use mesh_proto::types::etcdserverpb::{
    Member, MemberListRequest, MemberListResponse, ResponseHeader,
};

use super::{Session, encoded};
use crate::fault::Fault;

pub(super) const MEMBER_LIST: &str = "/etcdserverpb.Cluster/MemberList";

/// A member without a name counts as not started, and clients skip it.
const MEMBER_NAME: &str = "tidb-mesh";
/// Stands in for a member id when etcd's header has none: zero would read as "no member".
const SOME_MEMBER_ID: u64 = 1;

/// The list is asked for all the same: its header is the real one, and a client that wants to
/// know whether etcd has a quorum learns it.
pub(super) async fn member_list(
    session: &Session,
    request: MemberListRequest,
) -> Result<Bytes, Fault> {
    let real: MemberListResponse = session.call(MEMBER_LIST, &request).await?;
    let address = session.tenant.pd_url();
    let members = vec![member(member_id(real.header.as_ref()), address)];
    Ok(encoded(&MemberListResponse {
        header: real.header,
        members,
    }))
}

fn member(id: u64, address: String) -> Member {
    Member {
        id,
        name: MEMBER_NAME.to_owned(),
        peer_ur_ls: vec![address.clone()],
        client_ur_ls: vec![address],
        ..Default::default()
    }
}

fn member_id(header: Option<&ResponseHeader>) -> u64 {
    header
        .map(|header| header.member_id)
        .filter(|id| *id != 0)
        .unwrap_or(SOME_MEMBER_ID)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_member_has_what_clients_need_to_accept_it() {
        let header = ResponseHeader {
            member_id: 9,
            ..Default::default()
        };
        let member = member(member_id(Some(&header)), "http://127.0.0.1:2379".to_owned());
        assert_eq!((member.id, member.is_learner), (9, false));
        assert!(!member.name.is_empty());
        assert_eq!(member.client_ur_ls, ["http://127.0.0.1:2379"]);
        assert_eq!(member_id(None), SOME_MEMBER_ID);
    }
}
