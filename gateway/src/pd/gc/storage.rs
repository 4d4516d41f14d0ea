//! The storage cluster's own garbage collection, as PD keeps it.

use std::sync::Arc;

use bytes::Bytes;
use mesh_proto::types::pdpb;
use mesh_tenants::Scope;

use super::state::{FOR_EVER, GC_WORKER, Timestamp};
use crate::fault::Fault;
use crate::pd::header;
use crate::upstream::Pd;

/// A service that does not exist: removing it changes nothing and tells the least one.
const NOBODY: &str = "tidb-mesh/nobody";

/// PD's safe points.
#[derive(Clone)]
pub(super) struct StorageGc {
    pd: Arc<Pd>,
}

impl StorageGc {
    pub(super) fn new(pd: Arc<Pd>) -> StorageGc {
        StorageGc { pd }
    }

    /// Asks PD to keep every snapshot from `ts` on for `ttl` seconds, for a tenant. Answers PD's
    /// least service safe point: if it is greater than `ts`, PD refused, since that is gone.
    pub(super) async fn hold(
        &self,
        scope: Scope,
        ts: Timestamp,
        ttl: i64,
    ) -> Result<Timestamp, Fault> {
        self.update_service(&service_id(scope), ts, ttl).await
    }

    /// No longer keeps anything for a tenant.
    pub(super) async fn release(&self, scope: Scope) -> Result<(), Fault> {
        self.update_service(&service_id(scope), 0, 0)
            .await
            .map(|_| ())
    }

    /// PD's least service safe point.
    pub(super) async fn least_service(&self) -> Result<Timestamp, Fault> {
        self.update_service(NOBODY, 0, 0).await
    }

    /// Before this, versions may be gone.
    pub(super) async fn gc_safe_point(&self) -> Result<Timestamp, Fault> {
        let request = pdpb::GetGcSafePointRequest {
            header: self.pd.header().await?,
        };
        let answer: pdpb::GetGcSafePointResponse =
            self.pd.call("/pdpb.PD/GetGCSafePoint", &request).await?;
        good(answer.header.as_ref())?;
        Ok(answer.safe_point)
    }

    /// Lets the stores collect what only snapshots before `target` see, as far as every service
    /// allows. Answers how far that is.
    pub(super) async fn collect_up_to(&self, target: Timestamp) -> Result<Timestamp, Fault> {
        let gc_worker = String::from_utf8_lossy(GC_WORKER);
        let least = self.update_service(&gc_worker, target, FOR_EVER).await?;
        let request = pdpb::UpdateGcSafePointRequest {
            header: self.pd.header().await?,
            safe_point: least.min(target),
        };
        let answer: pdpb::UpdateGcSafePointResponse =
            self.pd.call("/pdpb.PD/UpdateGCSafePoint", &request).await?;
        good(answer.header.as_ref())?;
        Ok(answer.new_safe_point)
    }

    async fn update_service(
        &self,
        id: &str,
        safe_point: Timestamp,
        ttl: i64,
    ) -> Result<Timestamp, Fault> {
        let request = pdpb::UpdateServiceGcSafePointRequest {
            header: self.pd.header().await?,
            service_id: Bytes::copy_from_slice(id.as_bytes()),
            ttl,
            safe_point,
        };
        let answer: pdpb::UpdateServiceGcSafePointResponse = self
            .pd
            .call("/pdpb.PD/UpdateServiceGCSafePoint", &request)
            .await?;
        good(answer.header.as_ref())?;
        Ok(answer.min_safe_point)
    }
}

/// `tidb-mesh/table/1`
fn service_id(scope: Scope) -> String {
    format!("tidb-mesh/{scope}")
}

fn good(header: Option<&pdpb::ResponseHeader>) -> Result<(), Fault> {
    if !header::is_failed(header) {
        return Ok(());
    }
    let error = header.and_then(|header| header.error.as_ref());
    let text = error.map_or_else(String::new, |error| error.message.clone());
    Err(Fault::Unavailable(format!("PD's safe points: {text}")))
}
