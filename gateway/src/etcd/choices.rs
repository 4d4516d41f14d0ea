//! Values of enums. etcd takes any number in them and trusts that it knows it: a range that is to
//! be sorted by something unknown ends the process, and inside a transaction it is in the log by
//! then and ends every member that replays it.

use mesh_proto::types::etcdserverpb::{
    Compare, RangeRequest,
    compare::{CompareResult, CompareTarget},
    range_request::{SortOrder, SortTarget},
};

use crate::fault::Fault;

/// # Errors
/// [`Fault::BadRequest`] for a sorting that etcd doesn't know.
pub(super) fn of_range(range: &RangeRequest) -> Result<(), Fault> {
    known::<SortOrder>(range.sort_order, "sort_order")?;
    known::<SortTarget>(range.sort_target, "sort_target")
}

/// # Errors
/// [`Fault::BadRequest`] for a comparison that etcd doesn't know.
pub(super) fn of_compare(compare: &Compare) -> Result<(), Fault> {
    known::<CompareResult>(compare.result, "result")?;
    known::<CompareTarget>(compare.target, "target")
}

fn known<E: TryFrom<i32>>(value: i32, field: &str) -> Result<(), Fault> {
    E::try_from(value)
        .map(drop)
        .map_err(|_| Fault::BadRequest(format!("etcd: {field} has the unknown value {value}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_etcd_knows_passes_and_nothing_else() {
        for (order, target, known) in [
            (0, 0, true),
            (2, 4, true),
            (3, 0, false),
            (0, 5, false),
            (-1, 0, false),
        ] {
            let range = RangeRequest {
                sort_order: order,
                sort_target: target,
                ..Default::default()
            };
            assert_eq!(of_range(&range).is_ok(), known, "{order} {target}");
        }
        for (result, target, known) in [(3, 4, true), (4, 0, false), (0, 5, false)] {
            let compare = Compare {
                result,
                target,
                ..Default::default()
            };
            assert_eq!(of_compare(&compare).is_ok(), known, "{result} {target}");
        }
    }
}
