//! Proves that nothing is left in a tenant's ranges, by asking the leader of every region there.
//!
//! What is asked, and what it proves on a real TiKV:
//! - `KvScanLock` at the greatest timestamp: no lock of any age, in memory ones included;
//! - `KvScan` at the greatest timestamp: no key that any reader would see;
//! - `RawScan` of the column families `lock`, `write` and `default` between the encoded bounds: not
//!   a byte is left, old versions, tombstones and rollback records included. TiKV serves this where
//!   its API is V1; where it refuses, the proof rests on the first two and on the stores' own word
//!   that they destroyed the ranges, and is called [`Evidence::Visible`].
//!
//! What it does not prove: that a replica which is not the leader has finished destroying. Each
//! store was told by itself and said that it did.

use std::time::Duration;

use mesh_keyspace::{Keyspace, PhysicalRange, memcomparable};
use mesh_proto::types::{kvrpcpb, metapb, pdpb};

use super::call::call;
use crate::fault::Fault;
use crate::upstream::{Dialer, Pd, Stores};

const TIMEOUT: Duration = Duration::from_secs(20);
/// Regions move, split and merge while they are looked at.
const ATTEMPTS: usize = 40;
const PAUSE: Duration = Duration::from_millis(250);
/// TiKV's column families; each holds a part of what a transaction writes.
const FAMILIES: [&str; 3] = ["lock", "write", "default"];

/// How far a proof reaches.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Evidence {
    /// No lock, and no key that a reader would see.
    Visible,
    /// Not a byte.
    Physical,
}

impl Evidence {
    /// The word for logs.
    pub fn as_str(self) -> &'static str {
        match self {
            Evidence::Visible => "visible",
            Evidence::Physical => "physical",
        }
    }
}

/// Why there is no proof.
#[derive(Debug, thiserror::Error)]
pub enum Unproven {
    /// Something is there.
    #[error("{what} is left in region {region} of a destroyed tenant")]
    Left {
        /// What was found.
        what: &'static str,
        /// Where.
        region: u64,
    },
    /// The storage can't be asked.
    #[error(transparent)]
    Unasked(#[from] Fault),
}

/// Looks at every region of the tenant's ranges.
///
/// # Errors
/// [`Unproven`].
pub(super) async fn prove_empty(
    pd: &Pd,
    stores: &Stores,
    keyspace: &Keyspace,
) -> Result<Evidence, Unproven> {
    let mut evidence = Evidence::Physical;
    for range in keyspace.ranges() {
        evidence = evidence.min(Sweep::new(pd, stores, &range).run().await?);
    }
    Ok(evidence)
}

/// One pass over a range, region by region.
struct Sweep<'a> {
    pd: &'a Pd,
    stores: &'a Stores,
    /// Encoded; what lies before it is proven empty.
    from: Vec<u8>,
    end: Vec<u8>,
    evidence: Evidence,
}

/// A part of a region, and who leads it.
struct Piece {
    region: u64,
    address: String,
    dialer: Dialer,
    context: kvrpcpb::Context,
    /// Encoded.
    start: Vec<u8>,
    end: Vec<u8>,
}

/// What one question came to.
enum Told {
    Empty,
    Left(&'static str),
    /// The store does not answer this kind of question.
    Refused,
    /// The region is not as PD told.
    Moved,
}

impl<'a> Sweep<'a> {
    fn new(pd: &'a Pd, stores: &'a Stores, range: &PhysicalRange) -> Sweep<'a> {
        Sweep {
            pd,
            stores,
            from: encoded(range.start.as_slice()),
            end: encoded(range.end.as_slice()),
            evidence: Evidence::Physical,
        }
    }

    async fn run(mut self) -> Result<Evidence, Unproven> {
        let mut attempts = 0;
        while self.from < self.end {
            match self.step().await {
                Ok(true) => attempts = 0,
                Ok(false) if attempts < ATTEMPTS => {
                    attempts += 1;
                    tokio::time::sleep(PAUSE).await;
                }
                Err(Unproven::Unasked(fault)) if attempts < ATTEMPTS => {
                    tracing::debug!(error = %fault, "region not looked at yet");
                    attempts += 1;
                    tokio::time::sleep(PAUSE).await;
                }
                Ok(false) => {
                    let why = "a region of a destroyed tenant keeps moving";
                    return Err(Fault::Unavailable(why.to_owned()).into());
                }
                Err(unproven) => return Err(unproven),
            }
        }
        Ok(self.evidence)
    }

    /// Proves the next piece empty; `false` when its region moved meanwhile.
    async fn step(&mut self) -> Result<bool, Unproven> {
        let piece = self.next_piece().await?;
        for told in [piece.locks().await?, piece.keys().await?] {
            match told {
                Told::Empty => {}
                Told::Left(what) => return Err(piece.left(what)),
                Told::Moved => return Ok(false),
                Told::Refused => return Err(unanswered(&piece)),
            }
        }
        for family in FAMILIES {
            match piece.bytes(family).await? {
                Told::Empty => {}
                Told::Left(what) => return Err(piece.left(what)),
                Told::Moved => return Ok(false),
                Told::Refused => self.evidence = Evidence::Visible,
            }
        }
        self.from = piece.end;
        Ok(true)
    }

    async fn next_piece(&self) -> Result<Piece, Fault> {
        let request = pdpb::GetRegionRequest {
            header: self.pd.header().await?,
            region_key: self.from.clone().into(),
            ..Default::default()
        };
        let answer: pdpb::GetRegionResponse = self.pd.call("/pdpb.PD/GetRegion", &request).await?;
        let none = || Fault::Unavailable("PD knows no region in a tenant's range".to_owned());
        let region = answer.region.ok_or_else(none)?;
        let leader = answer.leader.ok_or_else(none)?;
        let address = self.stores.address(leader.store_id);
        let address = address
            .ok_or_else(|| Fault::Unavailable(format!("store {} unknown", leader.store_id)))?;
        Ok(self.piece(&region, leader, address))
    }

    fn piece(&self, region: &metapb::Region, leader: metapb::Peer, address: String) -> Piece {
        let unbounded = region.end_key.is_empty() || region.end_key.as_ref() > self.end.as_slice();
        let end = if unbounded {
            self.end.clone()
        } else {
            region.end_key.to_vec()
        };
        Piece {
            region: region.id,
            address,
            dialer: self.stores.dialer().clone(),
            context: kvrpcpb::Context {
                region_id: region.id,
                region_epoch: region.region_epoch,
                peer: Some(leader),
                ..Default::default()
            },
            start: self.from.clone(),
            end,
        }
    }
}

impl Piece {
    async fn locks(&self) -> Result<Told, Fault> {
        let (start_key, end_key) = self.raw()?;
        let request = kvrpcpb::ScanLockRequest {
            context: Some(self.context.clone()),
            max_version: u64::MAX,
            start_key: start_key.into(),
            end_key: end_key.into(),
            limit: 1,
        };
        let path = "/tikvpb.Tikv/KvScanLock";
        let answer: kvrpcpb::ScanLockResponse =
            call(&self.dialer, &self.address, path, &request, TIMEOUT).await?;
        Ok(match (answer.region_error, answer.error) {
            (Some(_), _) => Told::Moved,
            (None, Some(_)) => Told::Refused,
            (None, None) => left_if(!answer.locks.is_empty(), "a lock"),
        })
    }

    async fn keys(&self) -> Result<Told, Fault> {
        let (start_key, end_key) = self.raw()?;
        let request = kvrpcpb::ScanRequest {
            context: Some(self.context.clone()),
            start_key: start_key.into(),
            end_key: end_key.into(),
            limit: 1,
            version: u64::MAX,
            key_only: true,
            ..Default::default()
        };
        let path = "/tikvpb.Tikv/KvScan";
        let answer: kvrpcpb::ScanResponse =
            call(&self.dialer, &self.address, path, &request, TIMEOUT).await?;
        Ok(match (answer.region_error, answer.error) {
            (Some(_), _) => Told::Moved,
            // Only a lock makes a scan fail.
            (None, Some(_)) => Told::Left("a lock"),
            (None, None) => left_if(!answer.pairs.is_empty(), "a key"),
        })
    }

    async fn bytes(&self, family: &str) -> Result<Told, Fault> {
        let request = kvrpcpb::RawScanRequest {
            context: Some(self.context.clone()),
            start_key: self.start.clone().into(),
            end_key: self.end.clone().into(),
            limit: 1,
            key_only: true,
            cf: family.to_owned(),
            ..Default::default()
        };
        let path = "/tikvpb.Tikv/RawScan";
        let answer = call(&self.dialer, &self.address, path, &request, TIMEOUT).await;
        let answer: kvrpcpb::RawScanResponse = match answer {
            Ok(answer) => answer,
            Err(Fault::Upstream(_)) => return Ok(Told::Refused),
            Err(fault) => return Err(fault),
        };
        if answer.region_error.is_some() {
            return Ok(Told::Moved);
        }
        let refused = answer.kvs.iter().any(|pair| pair.error.is_some());
        Ok(if refused {
            Told::Refused
        } else {
            left_if(!answer.kvs.is_empty(), "an old version or a record")
        })
    }

    /// Bounds as transactional requests name them.
    fn raw(&self) -> Result<(Vec<u8>, Vec<u8>), Fault> {
        Ok((decoded(&self.start)?, decoded(&self.end)?))
    }

    fn left(&self, what: &'static str) -> Unproven {
        Unproven::Left {
            what,
            region: self.region,
        }
    }
}

fn left_if(found: bool, what: &'static str) -> Told {
    if found { Told::Left(what) } else { Told::Empty }
}

fn unanswered(piece: &Piece) -> Unproven {
    let why = format!(
        "region {} of a destroyed tenant can't be scanned",
        piece.region
    );
    Unproven::Unasked(Fault::Unavailable(why))
}

fn encoded(raw: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(memcomparable::encoded_len(raw.len()));
    memcomparable::encode(raw, &mut out);
    out
}

fn decoded(bound: &[u8]) -> Result<Vec<u8>, Fault> {
    let mut raw = Vec::with_capacity(bound.len());
    memcomparable::decode_exact(bound, &mut raw)
        .map_err(|_| Fault::BadAnswer("a region's bound is not encoded".to_owned()))?;
    Ok(raw)
}
