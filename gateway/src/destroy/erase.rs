//! Destroys what lies in a tenant's ranges, on every store.

use std::time::Duration;

use mesh_keyspace::Keyspace;
use mesh_proto::types::kvrpcpb;

use super::call::call;
use crate::fault::Fault;
use crate::upstream::Stores;

/// Dropping files of a large tenant takes a store a while.
const TIMEOUT: Duration = Duration::from_secs(300);
const PATH: &str = "/tikvpb.Tikv/UnsafeDestroyRange";

/// Destroys every version of every key in the tenant's ranges.
///
/// # Errors
/// The first store's that fails; the call is safe to repeat.
pub(super) async fn erase(stores: &Stores, keyspace: &Keyspace) -> Result<(), Fault> {
    stores.refresh().await?;
    for store in stores.all().values() {
        for range in keyspace.ranges() {
            let request = kvrpcpb::UnsafeDestroyRangeRequest {
                context: Some(kvrpcpb::Context::default()),
                start_key: range.start.as_slice().to_vec().into(),
                end_key: range.end.as_slice().to_vec().into(),
            };
            on_store(stores, &store.address, &request).await?;
        }
    }
    Ok(())
}

async fn on_store(
    stores: &Stores,
    address: &str,
    request: &kvrpcpb::UnsafeDestroyRangeRequest,
) -> Result<(), Fault> {
    let answer: kvrpcpb::UnsafeDestroyRangeResponse =
        call(stores.dialer(), address, PATH, request, TIMEOUT).await?;
    if answer.error.is_empty() && answer.region_error.is_none() {
        return Ok(());
    }
    Err(Fault::BadAnswer(
        "a store did not destroy a tenant's range".to_owned(),
    ))
}
