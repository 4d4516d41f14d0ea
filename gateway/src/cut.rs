//! Cuts regions at a tenant's bounds, so that no region spans two tenants.
//!
//! Two means, both idempotent: a region label rule over each of the tenant's ranges, by which PD
//! splits at the bounds and never merges across them; and a split request to the store that leads
//! the region, because PD alone may take a minute and a tenant is only handed out once the regions
//! are cut.

use std::time::Duration;

use mesh_keyspace::{Keyspace, memcomparable};
use mesh_proto::types::{kvrpcpb, metapb, pdpb};
use prost::Message;
use tonic::client::Grpc;
use tonic::{Request, Status};

use crate::fault::Fault;
use crate::grpc::RawCodec;
use crate::upstream::{Pd, Stores};

const ATTEMPTS: usize = 60;
const PAUSE: Duration = Duration::from_millis(250);
const SPLIT_TIMEOUT: Duration = Duration::from_secs(5);

/// Cuts at every bound of `keyspace`; done when PD shows the regions cut.
///
/// # Errors
/// The last failure, after some fifteen seconds per bound.
pub async fn cut(pd: &Pd, stores: &Stores, keyspace: &Keyspace) -> Result<(), Fault> {
    for range in keyspace.ranges() {
        for bound in [range.start.as_slice(), range.end.as_slice()] {
            cut_at(pd, stores, bound).await?;
        }
    }
    Ok(())
}

async fn cut_at(pd: &Pd, stores: &Stores, bound: &[u8]) -> Result<(), Fault> {
    let mut encoded = Vec::new();
    memcomparable::encode(bound, &mut encoded);
    let mut last = Fault::Unavailable("no region was found at a tenant's bound".to_owned());
    for attempt in 0..ATTEMPTS {
        if attempt > 0 {
            tokio::time::sleep(PAUSE).await;
        }
        match split_once(pd, stores, bound, &encoded).await {
            Ok(true) => return Ok(()),
            Ok(false) => {}
            Err(fault) => last = fault,
        }
    }
    Err(last)
}

/// Whether a region begins at the bound; asks for a split when none does.
async fn split_once(pd: &Pd, stores: &Stores, bound: &[u8], encoded: &[u8]) -> Result<bool, Fault> {
    let request = pdpb::GetRegionRequest {
        header: pd.header().await?,
        region_key: encoded.to_vec().into(),
        ..Default::default()
    };
    let answer: pdpb::GetRegionResponse = pd.call("/pdpb.PD/GetRegion", &request).await?;
    let none = || Fault::Unavailable("PD knows no region at a tenant's bound".to_owned());
    let region = answer.region.ok_or_else(none)?;
    if region.start_key == encoded {
        return Ok(true);
    }
    let leader = answer.leader.ok_or_else(none)?;
    split(stores, &region, leader, bound).await?;
    Ok(false)
}

async fn split(
    stores: &Stores,
    region: &metapb::Region,
    leader: metapb::Peer,
    bound: &[u8],
) -> Result<(), Fault> {
    let address = stores.address(leader.store_id);
    let address =
        address.ok_or_else(|| Fault::Unavailable(format!("store {} unknown", leader.store_id)))?;
    let request = kvrpcpb::SplitRegionRequest {
        context: Some(kvrpcpb::Context {
            region_id: region.id,
            region_epoch: region.region_epoch,
            peer: Some(leader),
            ..Default::default()
        }),
        split_keys: vec![bound.to_vec().into()],
        ..Default::default()
    };
    let mut client = Grpc::new(stores.dialer().channel(&address)?);
    let call = async {
        client
            .ready()
            .await
            .map_err(|fault| Status::unavailable(fault.to_string()))?;
        let path = http::uri::PathAndQuery::from_static("/tikvpb.Tikv/SplitRegion");
        client
            .unary(Request::new(request.encode_to_vec().into()), path, RawCodec)
            .await
    };
    let answer = tokio::time::timeout(SPLIT_TIMEOUT, call)
        .await
        .map_err(|_| Fault::Unavailable("a store did not split in time".to_owned()))??;
    let answer = kvrpcpb::SplitRegionResponse::decode(answer.into_inner())
        .map_err(|fault| Fault::BadAnswer(format!("SplitRegion: {fault}")))?;
    match answer.region_error {
        None => Ok(()),
        // The region changed meanwhile: the next round asks PD again.
        Some(_) => Err(Fault::Unavailable(
            "a region at a tenant's bound keeps moving".to_owned(),
        )),
    }
}
