//! Destroys a tenant's data on every store, after the tenant has been fenced.

use std::time::Duration;

use mesh_keyspace::Keyspace;
use mesh_proto::types::kvrpcpb;
use prost::Message;
use tonic::client::Grpc;
use tonic::{Request, Status};

use crate::fault::Fault;
use crate::grpc::RawCodec;
use crate::upstream::{self, Stores};

/// Dropping files of a large tenant takes a store a while.
const TIMEOUT: Duration = Duration::from_secs(300);

/// Destroys every version of every key in the tenant's ranges.
///
/// # Errors
/// The first store's that fails; the call is safe to repeat.
pub async fn destroy(stores: &Stores, keyspace: &Keyspace) -> Result<(), Fault> {
    stores.refresh().await?;
    for store in stores.all().values() {
        for range in keyspace.ranges() {
            let request = kvrpcpb::UnsafeDestroyRangeRequest {
                context: Some(kvrpcpb::Context::default()),
                start_key: range.start.as_slice().to_vec().into(),
                end_key: range.end.as_slice().to_vec().into(),
            };
            on_store(&store.address, &request).await?;
        }
    }
    Ok(())
}

async fn on_store(
    address: &str,
    request: &kvrpcpb::UnsafeDestroyRangeRequest,
) -> Result<(), Fault> {
    let mut client = Grpc::new(upstream::channel(address)?);
    let call = async {
        client
            .ready()
            .await
            .map_err(|fault| Status::unavailable(fault.to_string()))?;
        let path = http::uri::PathAndQuery::from_static("/tikvpb.Tikv/UnsafeDestroyRange");
        client
            .unary(Request::new(request.encode_to_vec().into()), path, RawCodec)
            .await
    };
    let answer = tokio::time::timeout(TIMEOUT, call)
        .await
        .map_err(|_| Fault::Unavailable("a store did not destroy in time".to_owned()))??;
    let answer = kvrpcpb::UnsafeDestroyRangeResponse::decode(answer.into_inner())
        .map_err(|fault| Fault::BadAnswer(format!("UnsafeDestroyRange: {fault}")))?;
    if answer.error.is_empty() && answer.region_error.is_none() {
        return Ok(());
    }
    Err(Fault::BadAnswer(
        "a store did not destroy a tenant's range".to_owned(),
    ))
}
