//! PD's keyspaces: a tenant knows of none.
//!
//! In every mode a tenant is a cluster without keyspaces; that its keys lie in one of PD's in
//! `keyspace` mode is the gateway's affair, as the client would put the prefix in front once more.
//! TiDB's GC asks for the list and leaves out the ranges of what it finds there: it finds nothing.

use std::sync::Arc;

use mesh_proto::types::{keyspacepb, pdpb};

use super::{header, request};
use crate::fault::Fault;
use crate::grpc::{self, Call, Frames};
use crate::upstream::Pd;

/// Answers for keyspacepb.
pub(super) struct Keyspaces {
    pd: Arc<Pd>,
}

impl Keyspaces {
    pub(super) fn new(pd: Arc<Pd>) -> Keyspaces {
        Keyspaces { pd }
    }

    pub(super) async fn all(&self, call: Call) -> Result<tonic::Response<Frames>, Fault> {
        let (_, request) = request::take::<keyspacepb::GetAllKeyspacesRequest>(call).await?;
        let header = header::accept(&self.pd, request.header.as_ref()).await?;
        Ok(grpc::unary(&keyspacepb::GetAllKeyspacesResponse {
            header,
            keyspaces: Vec::new(),
        }))
    }

    pub(super) async fn by_name(&self, call: Call) -> Result<tonic::Response<Frames>, Fault> {
        let (_, request) = request::take::<keyspacepb::LoadKeyspaceRequest>(call).await?;
        self.none(request.header.as_ref()).await
    }

    pub(super) async fn by_id(&self, call: Call) -> Result<tonic::Response<Frames>, Fault> {
        let (_, request) = request::take::<keyspacepb::LoadKeyspaceByIdRequest>(call).await?;
        self.none(request.header.as_ref()).await
    }

    async fn none(
        &self,
        asked: Option<&pdpb::RequestHeader>,
    ) -> Result<tonic::Response<Frames>, Fault> {
        let good = header::accept(&self.pd, asked).await?;
        let kind = pdpb::ErrorType::EntryNotFound;
        let header = header::failed(good, kind, "keyspace does not exist");
        Ok(grpc::unary(&keyspacepb::LoadKeyspaceResponse {
            header,
            keyspace: None,
        }))
    }
}
