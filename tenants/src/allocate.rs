//! Choosing ids and ports that nobody holds. Pure: what is taken comes in, a choice goes out. The
//! choice is only a proposal; the transaction that claims it decides.

use std::collections::BTreeSet;
use std::ops::RangeInclusive;

use mesh_keyspace::{Mode, TenantId};

/// The smallest id of a mode that is not taken.
pub(crate) fn smallest_free_id(mode: Mode, taken: &BTreeSet<u32>) -> Option<TenantId> {
    let mut candidate = TenantId::FIRST.get();
    for id in taken.range(candidate..) {
        if *id != candidate {
            break;
        }
        candidate = candidate.checked_add(1)?;
    }
    TenantId::new(mode, candidate).ok()
}

/// The smallest ports of a range that are not taken, exactly `count` of them.
pub(crate) fn free_ports(
    range: RangeInclusive<u16>,
    taken: &BTreeSet<u16>,
    count: usize,
) -> Option<Vec<u16>> {
    let ports: Vec<u16> = range
        .filter(|port| !taken.contains(port))
        .take(count)
        .collect();
    (ports.len() == count).then_some(ports)
}

#[cfg(test)]
mod tests {
    use proptest::collection::btree_set;
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn ids_end_with_the_mode() {
        let all: BTreeSet<u32> = (1..=TenantId::last(Mode::Table)).collect();
        assert_eq!(smallest_free_id(Mode::Table, &all), None);
        assert_eq!(
            smallest_free_id(Mode::Keyspace, &all).map(TenantId::get),
            Some(0x8000)
        );
        assert_eq!(
            smallest_free_id(Mode::Table, &BTreeSet::new()),
            Some(TenantId::FIRST)
        );
        assert_eq!(
            smallest_free_id(Mode::Table, &[0].into()),
            Some(TenantId::FIRST)
        );
    }

    proptest! {
        #[test]
        fn the_id_is_free_and_all_below_are_taken(taken in btree_set(0..40u32, 0..40)) {
            let id = smallest_free_id(Mode::Table, &taken).unwrap().get();
            prop_assert!(!taken.contains(&id));
            prop_assert!((1..id).all(|smaller| taken.contains(&smaller)));
        }

        #[test]
        fn ports_are_free_distinct_and_inside(
            taken in btree_set(95..115u16, 0..20),
            count in 0..15usize,
        ) {
            let free = (100..=110u16).filter(|port| !taken.contains(port)).count();
            match free_ports(100..=110, &taken, count) {
                None => prop_assert!(free < count),
                Some(ports) => {
                    let distinct: BTreeSet<u16> = ports.iter().copied().collect();
                    prop_assert_eq!(distinct.len(), count);
                    prop_assert!(distinct.is_disjoint(&taken));
                    prop_assert!(distinct.iter().all(|port| (100..=110).contains(port)));
                }
            }
        }
    }
}
