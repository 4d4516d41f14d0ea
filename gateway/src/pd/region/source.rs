//! Where regions come from: PD, or a list in a test. Physical bounds, unclipped.

use std::future::Future;

use bytes::Bytes;
use mesh_proto::types::{metapb, pdpb};

use crate::fault::Fault;
use crate::pd::header;
use crate::upstream::Pd;

/// Why there is no answer.
#[derive(Debug)]
pub(super) enum Refusal {
    /// Something on the way.
    Fault(Fault),
    /// PD's own answer, an error in the header, to be passed on as it is.
    Told(pdpb::ResponseHeader),
}

impl<F: Into<Fault>> From<F> for Refusal {
    fn from(fault: F) -> Self {
        Refusal::Fault(fault.into())
    }
}

/// The storage cluster's regions by physical, encoded key.
pub(super) trait RegionSource: Sync {
    /// The region that holds `key`.
    fn holding(
        &self,
        key: Vec<u8>,
    ) -> impl Future<Output = Result<Option<pdpb::Region>, Refusal>> + Send;

    /// The region before the one that holds `key`.
    fn before(
        &self,
        key: Vec<u8>,
    ) -> impl Future<Output = Result<Option<pdpb::Region>, Refusal>> + Send;

    /// Regions that hold something of `start..end`, in key order, `limit` at most; a limit of zero
    /// or less is none.
    fn scan(
        &self,
        start: Vec<u8>,
        end: Vec<u8>,
        limit: i32,
    ) -> impl Future<Output = Result<Vec<pdpb::Region>, Refusal>> + Send;
}

/// PD, asked in the name of one request.
pub(super) struct PdRegions<'a> {
    pub(super) pd: &'a Pd,
    /// The client's header: PD checks it.
    pub(super) header: Option<pdpb::RequestHeader>,
    pub(super) need_buckets: bool,
}

impl PdRegions<'_> {
    async fn one(&self, path: &'static str, key: Vec<u8>) -> Result<Option<pdpb::Region>, Refusal> {
        let request = pdpb::GetRegionRequest {
            header: self.header.clone(),
            region_key: Bytes::from(key),
            need_buckets: self.need_buckets,
        };
        single(self.pd.call(path, &request).await?)
    }

    /// The region of an id.
    pub(super) async fn by_id(&self, region_id: u64) -> Result<Option<pdpb::Region>, Refusal> {
        let request = pdpb::GetRegionByIdRequest {
            header: self.header.clone(),
            region_id,
            need_buckets: self.need_buckets,
        };
        single(self.pd.call("/pdpb.PD/GetRegionByID", &request).await?)
    }
}

impl RegionSource for PdRegions<'_> {
    async fn holding(&self, key: Vec<u8>) -> Result<Option<pdpb::Region>, Refusal> {
        self.one("/pdpb.PD/GetRegion", key).await
    }

    async fn before(&self, key: Vec<u8>) -> Result<Option<pdpb::Region>, Refusal> {
        self.one("/pdpb.PD/GetPrevRegion", key).await
    }

    async fn scan(
        &self,
        start: Vec<u8>,
        end: Vec<u8>,
        limit: i32,
    ) -> Result<Vec<pdpb::Region>, Refusal> {
        let request = pdpb::ScanRegionsRequest {
            header: self.header.clone(),
            start_key: start.into(),
            end_key: end.into(),
            limit,
        };
        let answer: pdpb::ScanRegionsResponse =
            self.pd.call("/pdpb.PD/ScanRegions", &request).await?;
        listed(answer)
    }
}

fn single(answer: pdpb::GetRegionResponse) -> Result<Option<pdpb::Region>, Refusal> {
    passed(answer.header)?;
    Ok(answer.region.map(|region| pdpb::Region {
        region: Some(region),
        leader: answer.leader,
        down_peers: answer.down_peers,
        pending_peers: answer.pending_peers,
        buckets: answer.buckets,
    }))
}

fn listed(answer: pdpb::ScanRegionsResponse) -> Result<Vec<pdpb::Region>, Refusal> {
    passed(answer.header)?;
    if !answer.regions.is_empty() {
        return Ok(answer.regions);
    }
    // A PD from before the list of whole regions.
    let leaders = answer
        .leaders
        .into_iter()
        .map(Some)
        .chain(std::iter::repeat(None));
    let both = answer.region_metas.into_iter().zip(leaders);
    Ok(both.map(|(meta, leader)| bare(meta, leader)).collect())
}

fn bare(meta: metapb::Region, leader: Option<metapb::Peer>) -> pdpb::Region {
    pdpb::Region {
        region: Some(meta),
        leader,
        ..pdpb::Region::default()
    }
}

fn passed(header: Option<pdpb::ResponseHeader>) -> Result<(), Refusal> {
    match header {
        Some(told) if header::is_failed(Some(&told)) => Err(Refusal::Told(told)),
        Some(_) | None => Ok(()),
    }
}
