//! The RPCs that ask for regions.

use std::sync::Arc;

use bytes::Bytes;
use mesh_keyspace::Keyspace;
use mesh_proto::types::{metapb, pdpb};

use super::clip::clip;
use super::query;
use super::source::{PdRegions, Refusal};
use super::view::RegionView;
use crate::fault::Fault;
use crate::grpc::{self, Call, Frames};
use crate::pd::{header, request};
use crate::upstream::Pd;

/// Answers for every RPC that asks for regions.
pub(in crate::pd) struct Regions {
    pd: Arc<Pd>,
}

impl Regions {
    pub(in crate::pd) fn new(pd: Arc<Pd>) -> Regions {
        Regions { pd }
    }

    pub(in crate::pd) async fn by_key(&self, call: Call) -> Result<tonic::Response<Frames>, Fault> {
        let (tenant, request) = request::take::<pdpb::GetRegionRequest>(call).await?;
        let view = self.view(&tenant.keyspace, request.header, request.need_buckets);
        let found = view.holding(&request.region_key).await;
        self.one(found).await
    }

    pub(in crate::pd) async fn before(&self, call: Call) -> Result<tonic::Response<Frames>, Fault> {
        let (tenant, request) = request::take::<pdpb::GetRegionRequest>(call).await?;
        let view = self.view(&tenant.keyspace, request.header, request.need_buckets);
        let found = view.before(&request.region_key).await;
        self.one(found).await
    }

    pub(in crate::pd) async fn by_id(&self, call: Call) -> Result<tonic::Response<Frames>, Fault> {
        let (tenant, request) = request::take::<pdpb::GetRegionByIdRequest>(call).await?;
        let view = self.view(&tenant.keyspace, request.header, request.need_buckets);
        let found = match view.source.by_id(request.region_id).await {
            Ok(Some(region)) => clip(&tenant.keyspace, region).map_err(Refusal::from),
            other => other,
        };
        self.one(found).await
    }

    pub(in crate::pd) async fn scan(&self, call: Call) -> Result<tonic::Response<Frames>, Fault> {
        let (tenant, request) = request::take::<pdpb::ScanRegionsRequest>(call).await?;
        let view = self.view(&tenant.keyspace, request.header, false);
        let found = view
            .scan(&request.start_key, &request.end_key, request.limit)
            .await;
        let (header, regions) = self.told(found).await?;
        // Older clients read the first two lists, position by position; newer ones the third.
        Ok(grpc::unary(&pdpb::ScanRegionsResponse {
            header,
            region_metas: regions
                .iter()
                .filter_map(|region| region.region.clone())
                .collect(),
            leaders: regions.iter().map(leader_of).collect(),
            regions,
        }))
    }

    pub(in crate::pd) async fn batch_scan(
        &self,
        call: Call,
    ) -> Result<tonic::Response<Frames>, Fault> {
        let (tenant, request) = request::take::<pdpb::BatchScanRegionsRequest>(call).await?;
        check_order(&request.ranges)?;
        let view = self.view(&tenant.keyspace, request.header, request.need_buckets);
        let found = view.scan_all(&request.ranges, request.limit).await;
        let (header, regions) = self.told(found).await?;
        if request.contain_all_key_range && has_gap(&request.ranges, &regions, request.limit) {
            let kind = pdpb::ErrorType::RegionsNotContainAllKeyRange;
            let header = header::failed(header, kind, "some of the ranges is in no region");
            return Ok(grpc::unary(&pdpb::BatchScanRegionsResponse {
                header,
                regions: vec![],
            }));
        }
        Ok(grpc::unary(&pdpb::BatchScanRegionsResponse {
            header,
            regions,
        }))
    }

    pub(in crate::pd) fn query(&self, call: Call) -> tonic::Response<Frames> {
        query::serve(self.pd.clone(), call)
    }

    fn view<'a>(
        &'a self,
        keyspace: &'a Keyspace,
        header: Option<pdpb::RequestHeader>,
        need_buckets: bool,
    ) -> RegionView<'a, PdRegions<'a>> {
        RegionView {
            keyspace,
            source: PdRegions {
                pd: &self.pd,
                header,
                need_buckets,
            },
        }
    }

    async fn one(
        &self,
        found: Result<Option<pdpb::Region>, Refusal>,
    ) -> Result<tonic::Response<Frames>, Fault> {
        let (header, region) = self.told(found).await?;
        let region = region.unwrap_or_default();
        Ok(grpc::unary(&pdpb::GetRegionResponse {
            header,
            region: region.region,
            leader: region.leader,
            down_peers: region.down_peers,
            pending_peers: region.pending_peers,
            buckets: region.buckets,
        }))
    }

    async fn told<T: Default>(
        &self,
        found: Result<T, Refusal>,
    ) -> Result<(Option<pdpb::ResponseHeader>, T), Fault> {
        match found {
            Ok(found) => Ok((header::good(self.pd.leader().await?.cluster_id), found)),
            Err(Refusal::Told(header)) => Ok((Some(header), T::default())),
            Err(Refusal::Fault(fault)) => Err(fault),
        }
    }
}

fn leader_of(region: &pdpb::Region) -> metapb::Peer {
    region.leader.unwrap_or_default()
}

/// PD refuses ranges that are out of order or overlap; so do we, since a scan goes forward only.
fn check_order(ranges: &[pdpb::KeyRange]) -> Result<(), Fault> {
    let mut last: Option<&Bytes> = None;
    for range in ranges {
        let turned = !range.end_key.is_empty() && range.start_key > range.end_key;
        let behind = last.is_some_and(|end| end.is_empty() || range.start_key < *end);
        if turned || behind {
            return Err(Fault::BadRequest("key ranges are not in order".to_owned()));
        }
        last = Some(&range.end_key);
    }
    Ok(())
}

/// Whether some part of the ranges is in none of the regions, as far as the limit let them go.
fn has_gap(ranges: &[pdpb::KeyRange], regions: &[pdpb::Region], limit: i32) -> bool {
    let cut_off = usize::try_from(limit).is_ok_and(|limit| limit > 0 && regions.len() >= limit);
    let bounds: Vec<(&Bytes, &Bytes)> = regions
        .iter()
        .filter_map(|region| region.region.as_ref())
        .map(|meta| (&meta.start_key, &meta.end_key))
        .collect();
    let last_end = bounds.last().map(|(_, end)| *end);
    ranges.iter().any(|range| {
        if cut_off && last_end.is_some_and(|end| !end.is_empty() && range.end_key > *end) {
            return false;
        }
        !is_covered(range, &bounds)
    })
}

fn is_covered(range: &pdpb::KeyRange, bounds: &[(&Bytes, &Bytes)]) -> bool {
    let mut covered = &range.start_key;
    for (start, end) in bounds {
        if *start <= covered && (end.is_empty() || *end > covered) {
            covered = end;
            if covered.is_empty() || (!range.end_key.is_empty() && *covered >= range.end_key) {
                return true;
            }
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    fn range(start: &'static str, end: &'static str) -> pdpb::KeyRange {
        pdpb::KeyRange {
            start_key: start.into(),
            end_key: end.into(),
        }
    }

    fn region(start: &'static str, end: &'static str) -> pdpb::Region {
        let meta = metapb::Region {
            start_key: start.into(),
            end_key: end.into(),
            ..metapb::Region::default()
        };
        pdpb::Region {
            region: Some(meta),
            ..pdpb::Region::default()
        }
    }

    #[test]
    fn gaps_are_seen() {
        let ranges = [range("a", "c"), range("d", "f")];
        assert!(!has_gap(&ranges, &[region("", "b"), region("b", "")], 0));
        assert!(!has_gap(&ranges, &[region("", "c"), region("d", "g")], 0));
        assert!(has_gap(&ranges, &[region("", "b"), region("c", "")], 0));
        assert!(has_gap(&ranges, &[region("", "c")], 0));
        assert!(!has_gap(&ranges, &[region("", "c")], 1));
        assert!(has_gap(&ranges, &[], 0));
        assert!(!has_gap(
            &[range("", "")],
            &[region("", "b"), region("b", "")],
            0
        ));
        assert!(has_gap(&[range("", "")], &[region("", "b")], 0));
    }

    #[test]
    fn ranges_go_forward() {
        assert!(check_order(&[range("a", "c"), range("c", "")]).is_ok());
        assert!(check_order(&[range("a", "c"), range("b", "d")]).is_err());
        assert!(check_order(&[range("a", ""), range("b", "d")]).is_err());
        assert!(check_order(&[range("b", "a")]).is_err());
    }
}
