//! QueryRegion: many look-ups in one message, for clients with the router option.
//!
//! Answered by single look-ups, which every PD has. Ids of regions that the tenant has no key in
//! are answered as unknown: id zero in the positional lists, nothing in the map.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use futures::{StreamExt, TryStreamExt};
use mesh_keyspace::Keyspace;
use mesh_proto::types::pdpb;
use prost::Message;
use tonic::Status;

use super::clip::clip;
use super::source::{PdRegions, Refusal};
use super::view::RegionView;
use crate::fault::Fault;
use crate::grpc::{Call, Frames};
use crate::pd::{header, request};
use crate::upstream::Pd;

/// Look-ups of one message under way at a time.
const AT_A_TIME: usize = 16;

pub(super) fn serve(pd: Arc<Pd>, call: Call) -> tonic::Response<Frames> {
    let Call {
        tenant,
        rpc,
        frames,
        ..
    } = call;
    let answers = frames.then(move |frame| {
        let (pd, tenant) = (pd.clone(), tenant.clone());
        async move {
            let request: pdpb::QueryRegionRequest = request::decode(rpc, &frame?)?;
            let answer = answer(&pd, &tenant.keyspace, request).await?;
            Ok::<_, Status>(Bytes::from(answer.encode_to_vec()))
        }
    });
    tonic::Response::new(answers.boxed())
}

async fn answer(
    pd: &Pd,
    keyspace: &Keyspace,
    request: pdpb::QueryRegionRequest,
) -> Result<pdpb::QueryRegionResponse, Fault> {
    let good = header::accept(pd, request.header.as_ref()).await?;
    let need_buckets = request.need_buckets;
    let source = PdRegions {
        pd,
        header: request.header,
        need_buckets,
    };
    let view = RegionView { keyspace, source };
    match look_up(&view, &request.keys, &request.prev_keys, &request.ids).await {
        Ok(answer) => Ok(pdpb::QueryRegionResponse {
            header: good,
            ..answer
        }),
        Err(Refusal::Told(header)) => Ok(pdpb::QueryRegionResponse {
            header: Some(header),
            ..Default::default()
        }),
        Err(Refusal::Fault(fault)) => Err(fault),
    }
}

async fn look_up(
    view: &RegionView<'_, PdRegions<'_>>,
    keys: &[Bytes],
    prev_keys: &[Bytes],
    ids: &[u64],
) -> Result<pdpb::QueryRegionResponse, Refusal> {
    let holding = in_order(keys.iter().map(|key| view.holding(key))).await?;
    let before = in_order(prev_keys.iter().map(|key| view.before(key))).await?;
    let named = in_order(ids.iter().map(|id| by_id(view, *id))).await?;
    let mut regions_by_id = BTreeMap::new();
    let key_id_map = holding
        .into_iter()
        .map(|found| note(&mut regions_by_id, found))
        .collect();
    let prev_key_id_map = before
        .into_iter()
        .map(|found| note(&mut regions_by_id, found))
        .collect();
    for found in named {
        note(&mut regions_by_id, found);
    }
    Ok(pdpb::QueryRegionResponse {
        header: None,
        key_id_map,
        prev_key_id_map,
        regions_by_id,
    })
}

async fn in_order<F>(
    look_ups: impl Iterator<Item = F>,
) -> Result<Vec<Option<pdpb::Region>>, Refusal>
where
    F: Future<Output = Result<Option<pdpb::Region>, Refusal>>,
{
    let look_ups: Vec<F> = look_ups.collect();
    futures::stream::iter(look_ups)
        .buffered(AT_A_TIME)
        .try_collect()
        .await
}

async fn by_id(
    view: &RegionView<'_, PdRegions<'_>>,
    id: u64,
) -> Result<Option<pdpb::Region>, Refusal> {
    match view.source.by_id(id).await? {
        Some(region) => Ok(clip(view.keyspace, region)?),
        None => Ok(None),
    }
}

/// Puts a region into the map and answers its id, zero for none.
fn note(regions: &mut BTreeMap<u64, pdpb::RegionResponse>, found: Option<pdpb::Region>) -> u64 {
    let Some(region) = found else {
        return 0;
    };
    let id = region.region.as_ref().map_or(0, |meta| meta.id);
    let answer = pdpb::RegionResponse {
        region: region.region,
        leader: region.leader,
        down_peers: region.down_peers,
        pending_peers: region.pending_peers,
        buckets: region.buckets,
    };
    regions.insert(id, answer);
    id
}
