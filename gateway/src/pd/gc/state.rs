//! Garbage collection as one tenant sees it: a pure state machine.
//!
//! Two generations of clients drive it: the older one through service safe points, of which
//! `gc_worker`'s is the txn safe point, the newer one through txn safe point, GC safe point and
//! barriers. Both act on the same state, so servers of either generation may share a tenant.
//!
//! What holds after every operation, whatever was asked:
//! - neither safe point ever decreases;
//! - `gc_safe_point ≤ txn_safe_point ≤` every barrier.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// Service id and barrier id that stands for the txn safe point itself.
pub(super) const GC_WORKER: &[u8] = b"gc_worker";
/// Seconds that mean "never expires" wherever a time to live is told.
pub(super) const FOR_EVER: i64 = i64::MAX;

/// Timestamps of PD's oracle are 46 bits of milliseconds and 18 bits of a counter.
pub(in crate::pd) type Timestamp = u64;
/// Seconds since the epoch.
pub(super) type UnixSeconds = i64;

/// State of one tenant, as it is kept in the registry.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct GcState {
    /// Nothing of the tenant is older than this: the oracle's time at its creation, or what was
    /// collected while the tenant was silent for too long.
    pub(super) floor: Timestamp,
    /// Snapshots at or after it can be read.
    pub(super) txn_safe_point: Timestamp,
    /// Versions that only older snapshots see may be collected; locks before it are resolved.
    pub(super) gc_safe_point: Timestamp,
    /// What keeps the txn safe point back, by id.
    #[serde(default)]
    pub(super) barriers: BTreeMap<String, Barrier>,
    /// What the storage was last told to keep for the tenant.
    #[serde(default)]
    pub(super) held: Timestamp,
    /// Until when it keeps that.
    #[serde(default)]
    pub(super) held_until: UnixSeconds,
}

/// A promise to a tool that snapshots from `ts` on stay readable.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Barrier {
    /// Oldest snapshot that stays readable.
    pub(super) ts: Timestamp,
    /// Last second of the promise; `None` means for ever.
    pub(super) expires_at: Option<UnixSeconds>,
}

/// What an advance of the txn safe point came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Advance {
    /// Before.
    pub(super) old: Timestamp,
    /// After; may be less than asked for.
    pub(super) new: Timestamp,
    /// What kept it back.
    pub(super) blocker: Option<Blocker>,
}

/// What keeps a txn safe point back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Blocker {
    /// A barrier, or an older client's service safe point.
    Barrier(String),
    /// The oldest running transaction of a server.
    OldestTransaction,
}

/// Answer to an older client's service safe point: the least one, whoever owns it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct LeastService {
    /// Its id.
    pub(super) id: Vec<u8>,
    /// Seconds that it lasts.
    pub(super) ttl: i64,
    /// Its value.
    pub(super) safe_point: Timestamp,
}

/// A change that would break what must hold. The codes in brackets are PD's: TiDB looks for them.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum GcError {
    /// The txn safe point would go back.
    #[error(
        "[PD:gc:ErrDecreasingTxnSafePoint]txn safe point is {current} and cannot go back to {asked}"
    )]
    TxnSafePointDecreases {
        /// What it is.
        current: Timestamp,
        /// What was asked for.
        asked: Timestamp,
    },
    /// The GC safe point would go back.
    #[error(
        "[PD:gc:ErrDecreasingGCSafePoint]gc safe point is {current} and cannot go back to {asked}"
    )]
    GcSafePointDecreases {
        /// What it is.
        current: Timestamp,
        /// What was asked for.
        asked: Timestamp,
    },
    /// The GC safe point would pass the txn safe point.
    #[error(
        "[PD:gc:ErrGCSafePointExceedsTxnSafePoint]gc safe point cannot go to {asked}: txn safe point is {txn_safe_point}"
    )]
    GcPassesTxn {
        /// Upper bound.
        txn_safe_point: Timestamp,
        /// What was asked for.
        asked: Timestamp,
    },
    /// A barrier before the txn safe point promises what is gone.
    #[error(
        "[PD:gc:ErrGCBarrierTSBehindTxnSafePoint]gc barrier at {asked} is behind the txn safe point {txn_safe_point}"
    )]
    BarrierBehindTxn {
        /// Lower bound.
        txn_safe_point: Timestamp,
        /// What was asked for.
        asked: Timestamp,
    },
    /// The id belongs to the GC worker.
    #[error("[PD:gc:ErrReservedGCBarrierID]barrier id is reserved")]
    ReservedBarrier,
    /// An empty id or a time to live that is not positive.
    #[error("[PD:common:ErrInvalidArgument]{0}")]
    BadArgument(&'static str),
}

impl Barrier {
    fn new(ts: Timestamp, ttl: i64, now: UnixSeconds) -> Barrier {
        // A time to live that overflows the clock is one that never ends.
        let expires_at = if ttl == FOR_EVER {
            None
        } else {
            now.checked_add(ttl)
        };
        Barrier { ts, expires_at }
    }

    fn is_expired(&self, now: UnixSeconds) -> bool {
        self.expires_at.is_some_and(|last| last < now)
    }

    /// Seconds left, [`FOR_EVER`] for one that never expires.
    pub(super) fn ttl(&self, now: UnixSeconds) -> i64 {
        self.expires_at
            .map_or(FOR_EVER, |last| last.saturating_sub(now).max(0))
    }
}

impl GcState {
    /// State of a tenant that begins at `floor`: both safe points at zero, as in a new cluster.
    pub(super) fn beginning_at(floor: Timestamp) -> GcState {
        GcState {
            floor,
            ..GcState::default()
        }
    }

    /// Moves the txn safe point towards `target`, as far as barriers and the oldest running
    /// transaction allow. Expired barriers are dropped for good.
    ///
    /// # Errors
    /// [`GcError::TxnSafePointDecreases`].
    pub(super) fn advance_txn(
        &mut self,
        target: Timestamp,
        oldest_transaction: Option<Timestamp>,
        now: UnixSeconds,
    ) -> Result<Advance, GcError> {
        let old = self.txn_safe_point;
        if target < old {
            return Err(GcError::TxnSafePointDecreases {
                current: old,
                asked: target,
            });
        }
        self.barriers.retain(|_, barrier| !barrier.is_expired(now));
        let mut limit = target;
        let mut blocker = None;
        for (id, barrier) in &self.barriers {
            if barrier.ts < limit {
                limit = barrier.ts;
                blocker = Some(Blocker::Barrier(id.clone()));
            }
        }
        if let Some(oldest) = oldest_transaction.filter(|oldest| *oldest < limit) {
            limit = oldest;
            blocker = Some(Blocker::OldestTransaction);
        }
        self.txn_safe_point = old.max(limit);
        Ok(Advance {
            old,
            new: self.txn_safe_point,
            blocker,
        })
    }

    /// Moves the GC safe point to `target`. Answers the value before.
    ///
    /// # Errors
    /// [`GcError::GcSafePointDecreases`], [`GcError::GcPassesTxn`].
    pub(super) fn advance_gc(&mut self, target: Timestamp) -> Result<Timestamp, GcError> {
        let old = self.gc_safe_point;
        if target < old {
            return Err(GcError::GcSafePointDecreases {
                current: old,
                asked: target,
            });
        }
        if target > self.txn_safe_point {
            let txn_safe_point = self.txn_safe_point;
            return Err(GcError::GcPassesTxn {
                txn_safe_point,
                asked: target,
            });
        }
        self.gc_safe_point = target;
        Ok(old)
    }

    /// Sets or moves a barrier.
    ///
    /// # Errors
    /// [`GcError::ReservedBarrier`], [`GcError::BadArgument`], [`GcError::BarrierBehindTxn`].
    pub(super) fn set_barrier(
        &mut self,
        id: &str,
        ts: Timestamp,
        ttl: i64,
        now: UnixSeconds,
    ) -> Result<Barrier, GcError> {
        if ttl <= 0 {
            return Err(GcError::BadArgument("ttl must be positive"));
        }
        check_barrier_id(id)?;
        if ts < self.txn_safe_point {
            let txn_safe_point = self.txn_safe_point;
            return Err(GcError::BarrierBehindTxn {
                txn_safe_point,
                asked: ts,
            });
        }
        let barrier = Barrier::new(ts, ttl, now);
        self.barriers.insert(id.to_owned(), barrier.clone());
        Ok(barrier)
    }

    /// Removes a barrier and answers it.
    ///
    /// # Errors
    /// [`GcError::ReservedBarrier`], [`GcError::BadArgument`].
    pub(super) fn delete_barrier(&mut self, id: &str) -> Result<Option<Barrier>, GcError> {
        check_barrier_id(id)?;
        Ok(self.barriers.remove(id))
    }

    /// An older client's GC safe point: one that does not ask for more than there is learns what
    /// there is. Such a client may not have moved the txn safe point before; then both move.
    pub(super) fn update_gc(
        &mut self,
        target: Timestamp,
        oldest_transaction: Option<Timestamp>,
        now: UnixSeconds,
    ) -> Timestamp {
        if target > self.txn_safe_point {
            // Only a target below the txn safe point can fail.
            let _advanced = self.advance_txn(target, oldest_transaction, now);
        }
        self.gc_safe_point = self.gc_safe_point.max(target.min(self.txn_safe_point));
        self.gc_safe_point
    }

    /// An older client's service safe point; a time to live that is not positive removes it.
    ///
    /// # Errors
    /// For `gc_worker`: as [`GcState::advance_txn`], and [`GcError::BadArgument`] for a time to
    /// live that ends. For others: an id that is empty.
    pub(super) fn update_service(
        &mut self,
        id: &str,
        ts: Timestamp,
        ttl: i64,
        oldest_transaction: Option<Timestamp>,
        now: UnixSeconds,
    ) -> Result<LeastService, GcError> {
        if id.as_bytes() == GC_WORKER {
            return self.update_gc_worker(ts, ttl, oldest_transaction, now);
        }
        let changed = if ttl > 0 {
            self.set_barrier(id, ts, ttl, now).map(|_| ())
        } else {
            self.delete_barrier(id).map(|_| ())
        };
        match changed {
            // The client sees by the least safe point that its own was refused.
            Ok(()) | Err(GcError::BarrierBehindTxn { .. }) => Ok(self.gc_worker()),
            Err(fault) => Err(fault),
        }
    }

    fn update_gc_worker(
        &mut self,
        ts: Timestamp,
        ttl: i64,
        oldest_transaction: Option<Timestamp>,
        now: UnixSeconds,
    ) -> Result<LeastService, GcError> {
        if ttl != FOR_EVER {
            return Err(GcError::BadArgument(
                "ttl of gc_worker's safe point must be infinite",
            ));
        }
        let advance = self.advance_txn(ts, oldest_transaction, now)?;
        let id = match advance.blocker {
            None => GC_WORKER.to_vec(),
            Some(Blocker::Barrier(id)) => id.into_bytes(),
            Some(Blocker::OldestTransaction) => b"tidb_min_start_ts".to_vec(),
        };
        Ok(LeastService {
            id,
            ttl: FOR_EVER,
            safe_point: advance.new,
        })
    }

    /// Takes over what the storage collected, or is about to, while nothing was held for the
    /// tenant. Barriers that promised more are gone: their owners learn it at the next renewal.
    pub(super) fn catch_up(&mut self, least_service: Timestamp, gc_safe_point: Timestamp) {
        self.floor = self.floor.max(least_service);
        self.txn_safe_point = self.txn_safe_point.max(least_service).max(gc_safe_point);
        self.gc_safe_point = self.gc_safe_point.max(gc_safe_point);
        let txn_safe_point = self.txn_safe_point;
        self.barriers
            .retain(|_, barrier| barrier.ts >= txn_safe_point);
    }

    /// What the storage must keep for the tenant: every snapshot at or after this.
    pub(super) fn hold(&self, oldest_transaction: Option<Timestamp>) -> Timestamp {
        let needed = oldest_transaction.map_or(self.gc_safe_point, |ts| ts.min(self.gc_safe_point));
        self.floor.max(needed)
    }

    /// Whether the storage keeps anything for the tenant.
    pub(super) fn is_held(&self, now: UnixSeconds) -> bool {
        now <= self.held_until
    }

    /// The txn safe point in an older client's form.
    fn gc_worker(&self) -> LeastService {
        LeastService {
            id: GC_WORKER.to_vec(),
            ttl: FOR_EVER,
            safe_point: self.txn_safe_point,
        }
    }
}

fn check_barrier_id(id: &str) -> Result<(), GcError> {
    if id.as_bytes() == GC_WORKER {
        return Err(GcError::ReservedBarrier);
    }
    if id.is_empty() {
        Err(GcError::BadArgument("barrier id is empty"))
    } else {
        Ok(())
    }
}

#[cfg(test)]
mod tests;
