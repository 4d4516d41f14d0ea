//! Splitting, scattering and asking for operators: a tenant acts on regions that it has a key in,
//! and at keys of its own.

use std::sync::Arc;

use bytes::Bytes;
use mesh_keyspace::{Form, Keyspace, Position};
use mesh_proto::types::pdpb;

use super::ownership::RegionOwnership;
use crate::fault::Fault;
use crate::grpc::{self, Call, Frames};
use crate::pd::{header, request};
use crate::tenant::Tenant;
use crate::upstream::Pd;

/// Answers for SplitRegions, SplitAndScatterRegions, ScatterRegion and GetOperator.
pub(in crate::pd) struct Splits {
    pd: Arc<Pd>,
    ownership: RegionOwnership,
}

impl Splits {
    pub(in crate::pd) fn new(pd: Arc<Pd>) -> Splits {
        Splits {
            ownership: RegionOwnership::new(pd.clone()),
            pd,
        }
    }

    pub(in crate::pd) async fn split(&self, call: Call) -> Result<tonic::Response<Frames>, Fault> {
        let (tenant, mut request) = request::take::<pdpb::SplitRegionsRequest>(call).await?;
        request.split_keys = physical(&tenant.keyspace, &request.split_keys)?;
        let answer: pdpb::SplitRegionsResponse =
            self.pd.call("/pdpb.PD/SplitRegions", &request).await?;
        Ok(grpc::unary(&answer))
    }

    pub(in crate::pd) async fn split_and_scatter(
        &self,
        call: Call,
    ) -> Result<tonic::Response<Frames>, Fault> {
        let (tenant, mut request) =
            request::take::<pdpb::SplitAndScatterRegionsRequest>(call).await?;
        request.split_keys = physical(&tenant.keyspace, &request.split_keys)?;
        request.group = scoped_group(&tenant, &request.group);
        let answer: pdpb::SplitAndScatterRegionsResponse = self
            .pd
            .call("/pdpb.PD/SplitAndScatterRegions", &request)
            .await?;
        Ok(grpc::unary(&answer))
    }

    #[allow(deprecated, reason = "older clients name one region")]
    pub(in crate::pd) async fn scatter(
        &self,
        call: Call,
    ) -> Result<tonic::Response<Frames>, Fault> {
        let (tenant, request) = request::take::<pdpb::ScatterRegionRequest>(call).await?;
        let asked = match request.regions_id.as_slice() {
            [] => std::slice::from_ref(&request.region_id),
            many => many,
        };
        let mut own = Vec::with_capacity(asked.len());
        for id in asked {
            if self.ownership.visible(&tenant.keyspace, *id).await? {
                own.push(*id);
            }
        }
        if own.is_empty() {
            return self.no_such_region(request.header.as_ref()).await;
        }
        // The region itself is left out: PD would take a client's word for where it lies.
        let forwarded = pdpb::ScatterRegionRequest {
            header: request.header,
            region_id: 0,
            region: None,
            leader: None,
            group: scoped_group(&tenant, &request.group),
            regions_id: own,
            retry_limit: request.retry_limit,
            skip_store_limit: request.skip_store_limit,
        };
        let answer: pdpb::ScatterRegionResponse =
            self.pd.call("/pdpb.PD/ScatterRegion", &forwarded).await?;
        Ok(grpc::unary(&answer))
    }

    pub(in crate::pd) async fn operator(
        &self,
        call: Call,
    ) -> Result<tonic::Response<Frames>, Fault> {
        let (tenant, request) = request::take::<pdpb::GetOperatorRequest>(call).await?;
        if !self
            .ownership
            .visible(&tenant.keyspace, request.region_id)
            .await?
        {
            let good = header::accept(&self.pd, request.header.as_ref()).await?;
            let kind = pdpb::ErrorType::RegionNotFound;
            let header = header::failed(good, kind, "Not Found");
            return Ok(grpc::unary(&pdpb::GetOperatorResponse {
                header,
                ..Default::default()
            }));
        }
        let answer: pdpb::GetOperatorResponse =
            self.pd.call("/pdpb.PD/GetOperator", &request).await?;
        Ok(grpc::unary(&answer))
    }

    async fn no_such_region(
        &self,
        header: Option<&pdpb::RequestHeader>,
    ) -> Result<tonic::Response<Frames>, Fault> {
        let good = header::accept(&self.pd, header).await?;
        let kind = pdpb::ErrorType::RegionNotFound;
        let header = header::failed(good, kind, "region not found");
        Ok(grpc::unary(&pdpb::ScatterRegionResponse {
            header,
            ..Default::default()
        }))
    }
}

/// Split keys are positions: any bytes, of which those past the tenant's end split nothing.
fn physical(keyspace: &Keyspace, keys: &[Bytes]) -> Result<Vec<Bytes>, Fault> {
    let mut split_at = Vec::with_capacity(keys.len());
    for key in keys {
        let mut out = Vec::new();
        if keyspace.locate(Form::Encoded, key, &mut out)? == Position::At {
            split_at.push(Bytes::from(out));
        }
    }
    Ok(split_at)
}

/// PD spreads regions by the group's name, which is a table id for TiDB and so the same for all
/// tenants.
fn scoped_group(tenant: &Tenant, group: &str) -> String {
    format!("tidb-mesh/{}/{}/{group}", tenant.mode(), tenant.id())
}
