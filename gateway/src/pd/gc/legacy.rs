//! The RPCs of the older generation, with and without a keyspace id.

use bytes::Bytes;
use mesh_proto::types::pdpb;
use tonic::Status;

use super::service::{Gc, NO_KEYSPACE, own_keyspace};
use super::state::{GcState, LeastService, Timestamp};
use crate::fault::Fault;
use crate::grpc::{self, Call, Frames};
use crate::pd::{header, request};
use crate::tenant::Tenant;

/// A service safe point as both forms of the RPC ask for it.
struct Service {
    id: Bytes,
    ts: Timestamp,
    ttl: i64,
}

impl Gc {
    pub(in crate::pd) async fn get(&self, call: Call) -> Result<tonic::Response<Frames>, Fault> {
        let (tenant, request) = request::take::<pdpb::GetGcSafePointRequest>(call).await?;
        let header = header::accept(&self.pd, request.header.as_ref()).await?;
        let safe_point = self.read(&tenant).await?.gc_safe_point;
        Ok(grpc::unary(&pdpb::GetGcSafePointResponse {
            header,
            safe_point,
        }))
    }

    pub(in crate::pd) async fn get_v2(&self, call: Call) -> Result<tonic::Response<Frames>, Fault> {
        use pdpb::get_gc_safe_point_v2_request::Keyspace;
        let (tenant, request) = request::take::<pdpb::GetGcSafePointV2Request>(call).await?;
        let header = header::accept(&self.pd, request.header.as_ref()).await?;
        check_keyspace(
            &tenant,
            match request.keyspace {
                Some(Keyspace::KeyspaceId(id)) => Some(id),
                Some(Keyspace::KeyspaceIdentity(_)) | None => None,
            },
        )?;
        let safe_point = self.read(&tenant).await?.gc_safe_point;
        Ok(grpc::unary(&pdpb::GetGcSafePointV2Response {
            header,
            safe_point,
        }))
    }

    pub(in crate::pd) async fn get_all_v2(
        &self,
        call: Call,
    ) -> Result<tonic::Response<Frames>, Fault> {
        let (tenant, request) = request::take::<pdpb::GetAllGcSafePointV2Request>(call).await?;
        let header = header::accept(&self.pd, request.header.as_ref()).await?;
        let id = match tenant.mode() {
            mesh_keyspace::Mode::Keyspace => tenant.id().get(),
            mesh_keyspace::Mode::Table | mesh_keyspace::Mode::Prefix => NO_KEYSPACE,
        };
        let own = pdpb::GcSafePointV2 {
            keyspace: Some(pdpb::gc_safe_point_v2::Keyspace::KeyspaceId(id)),
            gc_safe_point: self.read(&tenant).await?.gc_safe_point,
        };
        let gc_safe_points = vec![own];
        Ok(grpc::unary(&pdpb::GetAllGcSafePointV2Response {
            header,
            gc_safe_points,
            revision: 0,
        }))
    }

    pub(in crate::pd) async fn update(&self, call: Call) -> Result<tonic::Response<Frames>, Fault> {
        let (tenant, request) = request::take::<pdpb::UpdateGcSafePointRequest>(call).await?;
        let header = header::accept(&self.pd, request.header.as_ref()).await?;
        let new_safe_point = self.update_gc(&tenant, request.safe_point).await?;
        Ok(grpc::unary(&pdpb::UpdateGcSafePointResponse {
            header,
            new_safe_point,
        }))
    }

    pub(in crate::pd) async fn update_v2(
        &self,
        call: Call,
    ) -> Result<tonic::Response<Frames>, Fault> {
        use pdpb::update_gc_safe_point_v2_request::Keyspace;
        let (tenant, request) = request::take::<pdpb::UpdateGcSafePointV2Request>(call).await?;
        let header = header::accept(&self.pd, request.header.as_ref()).await?;
        check_keyspace(
            &tenant,
            match request.keyspace {
                Some(Keyspace::KeyspaceId(id)) => Some(id),
                Some(Keyspace::KeyspaceIdentity(_)) | None => None,
            },
        )?;
        let new_safe_point = self.update_gc(&tenant, request.safe_point).await?;
        Ok(grpc::unary(&pdpb::UpdateGcSafePointV2Response {
            header,
            new_safe_point,
        }))
    }

    pub(in crate::pd) async fn update_service(
        &self,
        call: Call,
    ) -> Result<tonic::Response<Frames>, Fault> {
        let (tenant, request) =
            request::take::<pdpb::UpdateServiceGcSafePointRequest>(call).await?;
        let header = header::accept(&self.pd, request.header.as_ref()).await?;
        let service = Service {
            id: request.service_id,
            ts: request.safe_point,
            ttl: request.ttl,
        };
        let least = self.update_least(&tenant, &service).await?;
        Ok(grpc::unary(&pdpb::UpdateServiceGcSafePointResponse {
            header,
            service_id: least.id.into(),
            ttl: least.ttl,
            min_safe_point: least.safe_point,
        }))
    }

    pub(in crate::pd) async fn update_service_v2(
        &self,
        call: Call,
    ) -> Result<tonic::Response<Frames>, Fault> {
        use pdpb::update_service_safe_point_v2_request::Keyspace;
        let (tenant, request) =
            request::take::<pdpb::UpdateServiceSafePointV2Request>(call).await?;
        let header = header::accept(&self.pd, request.header.as_ref()).await?;
        check_keyspace(
            &tenant,
            match request.keyspace {
                Some(Keyspace::KeyspaceId(id)) => Some(id),
                Some(Keyspace::KeyspaceIdentity(_)) | None => None,
            },
        )?;
        let service = Service {
            id: request.service_id,
            ts: request.safe_point,
            ttl: request.ttl,
        };
        let least = self.update_least(&tenant, &service).await?;
        Ok(grpc::unary(&pdpb::UpdateServiceSafePointV2Response {
            header,
            service_id: least.id.into(),
            ttl: least.ttl,
            min_safe_point: least.safe_point,
        }))
    }

    async fn update_gc(&self, tenant: &Tenant, target: Timestamp) -> Result<Timestamp, Fault> {
        // Zero is how the older generation reads.
        if target == 0 {
            return Ok(self.read(tenant).await?.gc_safe_point);
        }
        let update = |state: &mut GcState, oldest, now| Ok(state.update_gc(target, oldest, now));
        let changed = self.change(tenant, update).await?;
        changed
            .outcome
            .map_err(|fault| Status::unknown(fault.to_string()).into())
    }

    async fn update_least(
        &self,
        tenant: &Tenant,
        service: &Service,
    ) -> Result<LeastService, Fault> {
        let id = std::str::from_utf8(&service.id)
            .map_err(|_| Fault::BadRequest("service id is not UTF-8".to_owned()))?;
        let update = |state: &mut GcState, oldest, now| {
            state.update_service(id, service.ts, service.ttl, oldest, now)
        };
        let changed = self.change(tenant, update).await?;
        changed
            .outcome
            .map_err(|fault| Status::unknown(fault.to_string()).into())
    }
}

fn check_keyspace(tenant: &Tenant, id: Option<u32>) -> Result<(), Fault> {
    // Absent is zero on the wire, which is PD's default keyspace: nobody's.
    own_keyspace(tenant, id.unwrap_or(0)).map_err(|text| Status::unknown(text).into())
}
