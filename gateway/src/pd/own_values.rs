//! Values that a PD keeps once for its cluster and a tenant takes for its own: global
//! configuration items and the external timestamp. They are kept among the tenant's own etcd keys,
//! under the names that they have in a PD's etcd, so no name reaches anything that is not the
//! tenant's. TiKV follows the real ones; a tenant's are not applied to the stores.

use std::sync::Arc;

use bytes::Bytes;
use futures::{StreamExt, stream};
use mesh_proto::types::pdpb;
use mesh_tenants::etcd::{Compare, KeyValue, Op, Range, Txn, Watch, WatchEvent};
use mesh_tenants::{EtcdError, Registry};
use prost::Message;
use tonic::{Response, Status};

use super::gc::Timestamp;
use super::{header, request, tso};
use crate::fault::Fault;
use crate::grpc::{self, Call, Frames};
use crate::tenant::Tenant;
use crate::upstream::Pd;

/// Where items without a path are.
const GLOBAL_CONFIG: &str = "/global/config/";
/// Decimal.
const EXTERNAL_TIMESTAMP: &str = "/pd/external_timestamp";
const SWAPS: usize = 10;

/// Answers for the global configuration and the external timestamp.
pub(super) struct OwnValues {
    pd: Arc<Pd>,
    registry: Arc<Registry>,
}

impl OwnValues {
    pub(super) fn new(pd: Arc<Pd>, registry: Arc<Registry>) -> OwnValues {
        OwnValues { pd, registry }
    }

    pub(super) async fn load_config(&self, call: Call) -> Result<Response<Frames>, Fault> {
        let (tenant, request) = request::take::<pdpb::LoadGlobalConfigRequest>(call).await?;
        let path = path_or_default(&request.config_path);
        if request.names.is_empty() {
            return self.load_all(&tenant, path).await;
        }
        let mut items = Vec::with_capacity(request.names.len());
        for name in request.names {
            let key = own_key(&tenant, &joined(path, &name));
            let found = self
                .registry
                .etcd()
                .get(key)
                .await
                .map_err(|fault| unavailable(&fault))?;
            items.push(found.map_or_else(|| missing(&name), |kv| item(name.clone(), kv.value)));
        }
        Ok(grpc::unary(&pdpb::LoadGlobalConfigResponse {
            items,
            revision: 0,
        }))
    }

    async fn load_all(&self, tenant: &Tenant, path: &str) -> Result<Response<Frames>, Fault> {
        let range = Range::prefix(own_key(tenant, path));
        let found = self
            .registry
            .etcd()
            .range(range)
            .await
            .map_err(|fault| unavailable(&fault))?;
        let items = found
            .kvs
            .into_iter()
            .filter_map(|kv| own_item(tenant, kv))
            .collect();
        let revision = found.revision;
        Ok(grpc::unary(&pdpb::LoadGlobalConfigResponse {
            items,
            revision,
        }))
    }

    pub(super) async fn store_config(&self, call: Call) -> Result<Response<Frames>, Fault> {
        let (tenant, request) = request::take::<pdpb::StoreGlobalConfigRequest>(call).await?;
        if request.changes.len() > Txn::MAX_OPS {
            return Err(Fault::BadRequest("too many items at once".to_owned()));
        }
        let path = path_or_default(&request.config_path);
        let mut txn = Txn::new();
        for change in request.changes {
            let key = own_key(&tenant, &joined(path, &change.name));
            txn = txn.then(if change.kind() == pdpb::EventType::Delete {
                Op::delete(Range::key(key))
            } else if change.value.is_empty() {
                Op::put(key, change.payload.to_vec())
            } else {
                // Where older clients put it.
                Op::put(key, change.value.into_bytes())
            });
        }
        self.registry
            .etcd()
            .txn(txn)
            .await
            .map_err(|fault| unavailable(&fault))?;
        Ok(grpc::unary(&pdpb::StoreGlobalConfigResponse {
            error: None,
        }))
    }

    pub(super) async fn watch_config(&self, call: Call) -> Result<Response<Frames>, Fault> {
        let (tenant, request) = request::take::<pdpb::WatchGlobalConfigRequest>(call).await?;
        let range = Range::prefix(own_key(&tenant, path_or_default(&request.config_path)));
        let watch = self.registry.etcd().watch(range, request.revision).await;
        let watch = watch.map_err(|fault| unavailable(&fault))?;
        let good = header::good(self.pd.leader().await?.cluster_id);
        let answers = stream::unfold(Some(watch), move |watch| {
            let (tenant, good) = (tenant.clone(), good.clone());
            async move { next_changes(watch?, &tenant, good).await }
        });
        Ok(Response::new(answers.boxed()))
    }

    pub(super) async fn external_ts(&self, call: Call) -> Result<Response<Frames>, Fault> {
        let (tenant, request) = request::take::<pdpb::GetExternalTimestampRequest>(call).await?;
        let header = header::accept(&self.pd, request.header.as_ref()).await?;
        let timestamp = self.stored_ts(&tenant).await?.0;
        Ok(grpc::unary(&pdpb::GetExternalTimestampResponse {
            header,
            timestamp,
        }))
    }

    pub(super) async fn set_external_ts(&self, call: Call) -> Result<Response<Frames>, Fault> {
        let (tenant, request) = request::take::<pdpb::SetExternalTimestampRequest>(call).await?;
        let good = header::accept(&self.pd, request.header.as_ref()).await?;
        let now = tso::now(&self.pd).await?;
        let refusal = match self.swap_ts(&tenant, request.timestamp, now).await? {
            None => {
                return Ok(grpc::unary(&pdpb::SetExternalTimestampResponse {
                    header: good,
                }));
            }
            Some(refusal) => refusal,
        };
        let header = header::failed(good, pdpb::ErrorType::InvalidValue, refusal);
        Ok(grpc::unary(&pdpb::SetExternalTimestampResponse { header }))
    }

    /// Sets the timestamp, or answers why it can't be.
    async fn swap_ts(
        &self,
        tenant: &Tenant,
        new: Timestamp,
        now: Timestamp,
    ) -> Result<Option<&'static str>, Fault> {
        if new > now {
            return Ok(Some(
                "the external timestamp should not be larger than global ts",
            ));
        }
        let key = own_key(tenant, EXTERNAL_TIMESTAMP);
        for _ in 0..SWAPS {
            let (old, revision) = self.stored_ts(tenant).await?;
            if new < old {
                return Ok(Some(
                    "the external timestamp should not be smaller than now",
                ));
            }
            let unchanged = match revision {
                None => Compare::absent(key.clone()),
                Some(revision) => Compare::unchanged_since(key.clone(), revision),
            };
            let txn = Txn::new()
                .when(unchanged)
                .then(Op::put(key.clone(), new.to_string()));
            if self
                .registry
                .etcd()
                .txn(txn)
                .await
                .map_err(|fault| unavailable(&fault))?
                .succeeded
            {
                return Ok(None);
            }
        }
        Err(Fault::Unavailable(
            "the external timestamp changes too often".to_owned(),
        ))
    }

    async fn stored_ts(&self, tenant: &Tenant) -> Result<(Timestamp, Option<i64>), Fault> {
        let key = own_key(tenant, EXTERNAL_TIMESTAMP);
        let found = self
            .registry
            .etcd()
            .get(key)
            .await
            .map_err(|fault| unavailable(&fault))?;
        let Some(kv) = found else {
            return Ok((0, None));
        };
        let text = std::str::from_utf8(&kv.value).ok();
        let ts = text.and_then(|text| text.parse().ok()).unwrap_or(0);
        Ok((ts, Some(kv.mod_revision)))
    }
}

type Changes = (Result<Bytes, Status>, Option<Watch>);

/// The next answer of a watch; the watch itself while there may be more.
async fn next_changes(
    mut watch: Watch,
    tenant: &Tenant,
    good: Option<pdpb::ResponseHeader>,
) -> Option<Changes> {
    loop {
        let batch = match watch.next().await {
            Ok(batch) => batch,
            Err(EtcdError::Compacted { revision }) => {
                let text = format!("watched revision is compacted, first one left is {revision}");
                let header = header::failed(good, pdpb::ErrorType::DataCompacted, text);
                let told = pdpb::WatchGlobalConfigResponse {
                    header,
                    ..Default::default()
                };
                return Some((Ok(told.encode_to_vec().into()), None));
            }
            Err(fault) => return Some((Err(unavailable(&fault).into()), None)),
        };
        let changes: Vec<_> = batch
            .events
            .into_iter()
            .filter_map(|event| change(tenant, event))
            .collect();
        if !changes.is_empty() {
            let revision = batch.revision.unwrap_or(0);
            let told = pdpb::WatchGlobalConfigResponse {
                changes,
                revision,
                header: None,
            };
            return Some((Ok(told.encode_to_vec().into()), Some(watch)));
        }
    }
}

fn change(tenant: &Tenant, event: WatchEvent) -> Option<pdpb::GlobalConfigItem> {
    match event {
        WatchEvent::Put(kv) => own_item(tenant, kv),
        WatchEvent::Delete { key } => Some(pdpb::GlobalConfigItem {
            name: own_name(tenant, &key)?,
            kind: pdpb::EventType::Delete.into(),
            ..Default::default()
        }),
    }
}

/// An item named by its whole key, as a PD tells it when asked for a path.
fn own_item(tenant: &Tenant, kv: KeyValue) -> Option<pdpb::GlobalConfigItem> {
    let name = own_name(tenant, &kv.key)?;
    Some(item(name, kv.value))
}

fn item(name: String, payload: Vec<u8>) -> pdpb::GlobalConfigItem {
    pdpb::GlobalConfigItem {
        name,
        payload: payload.into(),
        kind: pdpb::EventType::Put.into(),
        ..Default::default()
    }
}

fn missing(name: &str) -> pdpb::GlobalConfigItem {
    let error = pdpb::Error {
        r#type: pdpb::ErrorType::GlobalConfigNotFound.into(),
        message: format!("key {name} not found"),
    };
    pdpb::GlobalConfigItem {
        name: name.to_owned(),
        error: Some(error),
        ..Default::default()
    }
}

fn path_or_default(path: &str) -> &str {
    if path.is_empty() { GLOBAL_CONFIG } else { path }
}

fn joined(path: &str, name: &str) -> String {
    format!(
        "{}/{}",
        path.trim_end_matches('/'),
        name.trim_start_matches('/')
    )
}

fn own_key(tenant: &Tenant, key: &str) -> String {
    format!("{}{key}", tenant.etcd_prefix())
}

fn own_name(tenant: &Tenant, key: &[u8]) -> Option<String> {
    let name = key.strip_prefix(tenant.etcd_prefix().as_bytes())?;
    String::from_utf8(name.to_vec()).ok()
}

/// The text names endpoints, which are for the log and not for tenants.
fn unavailable(fault: &EtcdError) -> Fault {
    tracing::debug!(error = %fault, "a tenant's own values not reached");
    Fault::Unavailable("its metadata can't be reached".to_owned())
}
