//! PD's members as a tenant sees them: one member, the gateway.
//!
//! Clients derive everything else from it: the address for gRPC, for the embedded etcd and for
//! PD's HTTP API. No real PD address may show, or a client would go around the gateway.

use std::sync::Arc;

use mesh_proto::types::pdpb;

use super::{header, request};
use crate::fault::Fault;
use crate::grpc::{self, Call, Frames};
use crate::tenant::Tenant;
use crate::upstream::Pd;

/// Name of the one member.
pub const MEMBER_NAME: &str = "tidb-mesh";
/// Id of the one member; any number but zero will do.
pub const MEMBER_ID: u64 = 0x6d65_7368;

/// Answers for GetMembers and GetClusterInfo.
pub(super) struct Members {
    pd: Arc<Pd>,
}

impl Members {
    pub(super) fn new(pd: Arc<Pd>) -> Members {
        Members { pd }
    }

    pub(super) async fn members(&self, call: Call) -> Result<tonic::Response<Frames>, Fault> {
        // PD answers these two whatever the cluster id: a client learns it here.
        let (tenant, _) = request::take::<pdpb::GetMembersRequest>(call).await?;
        let cluster_id = self.pd.leader().await?.cluster_id;
        Ok(grpc::unary(&members(&tenant, cluster_id)))
    }

    pub(super) async fn cluster_info(&self, call: Call) -> Result<tonic::Response<Frames>, Fault> {
        let (_, _) = request::take::<pdpb::GetClusterInfoRequest>(call).await?;
        let cluster_id = self.pd.leader().await?.cluster_id;
        // TSO servers of their own check under which address they are called, so clients are told
        // that PD serves all of it.
        Ok(grpc::unary(&pdpb::GetClusterInfoResponse {
            header: header::good(cluster_id),
            service_modes: vec![pdpb::ServiceMode::PdSvcMode.into()],
            tso_urls: Vec::new(),
        }))
    }
}

fn members(tenant: &Tenant, cluster_id: u64) -> pdpb::GetMembersResponse {
    let url = tenant.pd_url();
    let member = pdpb::Member {
        name: MEMBER_NAME.to_owned(),
        member_id: MEMBER_ID,
        peer_urls: vec![url.clone()],
        client_urls: vec![url],
        ..pdpb::Member::default()
    };
    pdpb::GetMembersResponse {
        header: header::good(cluster_id),
        members: vec![member.clone()],
        leader: Some(member.clone()),
        etcd_leader: Some(member),
        ..pdpb::GetMembersResponse::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pd::tests::tenant;

    #[test]
    fn the_gateway_is_the_only_member() {
        let told = members(&tenant(), 7);
        let ours = "http://127.0.0.1:20000";
        assert_eq!(told.header.unwrap().cluster_id, 7);
        assert_eq!(told.members.len(), 1);
        for member in [
            &told.members[0],
            &told.leader.unwrap(),
            &told.etcd_leader.unwrap(),
        ] {
            assert_eq!(member.client_urls, [ours]);
            assert_eq!(member.peer_urls, [ours]);
            assert!(!member.name.is_empty() && member.member_id != 0);
        }
    }
}
