//! RPCs that tell or ask nothing of a tenant: PD's answer passes, without fields that the schema
//! does not know.

use std::sync::Arc;

use mesh_proto::types::pdpb;
use prost::Message;

use super::request;
use crate::fault::Fault;
use crate::grpc::{self, Call, Frames};
use crate::upstream::Pd;

/// Forwards facts about the cluster.
pub(super) struct Plain {
    pd: Arc<Pd>,
}

impl Plain {
    pub(super) fn new(pd: Arc<Pd>) -> Plain {
        Plain { pd }
    }

    pub(super) async fn cluster_config(
        &self,
        call: Call,
    ) -> Result<tonic::Response<Frames>, Fault> {
        self.pass::<pdpb::GetClusterConfigRequest, pdpb::GetClusterConfigResponse>(call)
            .await
    }

    pub(super) async fn is_bootstrapped(
        &self,
        call: Call,
    ) -> Result<tonic::Response<Frames>, Fault> {
        self.pass::<pdpb::IsBootstrappedRequest, pdpb::IsBootstrappedResponse>(call)
            .await
    }

    pub(super) async fn is_recovering(&self, call: Call) -> Result<tonic::Response<Frames>, Fault> {
        self.pass::<pdpb::IsSnapshotRecoveringRequest, pdpb::IsSnapshotRecoveringResponse>(call)
            .await
    }

    pub(super) async fn min_ts(&self, call: Call) -> Result<tonic::Response<Frames>, Fault> {
        self.pass::<pdpb::GetMinTsRequest, pdpb::GetMinTsResponse>(call)
            .await
    }

    async fn pass<Q, A>(&self, call: Call) -> Result<tonic::Response<Frames>, Fault>
    where
        Q: Message + Default,
        A: Message + Default,
    {
        let path = call.rpc.path;
        let (_, request) = request::take::<Q>(call).await?;
        let answer: A = self.pd.call(path, &request).await?;
        Ok(grpc::unary(&answer))
    }
}
