use mesh_keyspace::{Mode, TenantId, memcomparable};
use mesh_proto::types::metapb;
use proptest::prelude::*;

use super::*;

/// A cluster cut at the given physical boundaries, ids counted from 1.
struct Cluster {
    cuts: Vec<Vec<u8>>,
}

impl Cluster {
    fn cut_at(cuts: impl IntoIterator<Item = Vec<u8>>) -> Cluster {
        let mut cuts: Vec<Vec<u8>> = cuts.into_iter().filter(|cut| !cut.is_empty()).collect();
        cuts.sort();
        cuts.dedup();
        Cluster { cuts }
    }

    fn regions(&self) -> Vec<pdpb::Region> {
        let starts = std::iter::once(Vec::new()).chain(self.cuts.iter().cloned());
        let ends = self.cuts.iter().cloned().chain(std::iter::once(Vec::new()));
        let bounds = starts.zip(ends).zip(1u64..);
        bounds
            .map(|((start, end), id)| pdpb::Region {
                region: Some(metapb::Region {
                    id,
                    start_key: start.into(),
                    end_key: end.into(),
                    ..metapb::Region::default()
                }),
                ..pdpb::Region::default()
            })
            .collect()
    }

    fn index_of(&self, key: &[u8]) -> usize {
        self.cuts.iter().filter(|cut| cut.as_slice() <= key).count()
    }
}

impl RegionSource for &Cluster {
    async fn holding(&self, key: Vec<u8>) -> Result<Option<pdpb::Region>, Refusal> {
        Ok(self.regions().get(self.index_of(&key)).cloned())
    }

    async fn before(&self, key: Vec<u8>) -> Result<Option<pdpb::Region>, Refusal> {
        let index = self.index_of(&key).checked_sub(1);
        Ok(index.and_then(|index| self.regions().get(index).cloned()))
    }

    async fn scan(
        &self,
        start: Vec<u8>,
        end: Vec<u8>,
        limit: i32,
    ) -> Result<Vec<pdpb::Region>, Refusal> {
        let limit = if limit <= 0 {
            usize::MAX
        } else {
            limit as usize
        };
        let tail = self.regions().split_off(self.index_of(&start));
        let hit = tail
            .into_iter()
            .take_while(|region| begins_below(region, &end));
        Ok(hit.take(limit).collect())
    }
}

fn keyspace(mode: Mode) -> Keyspace {
    Keyspace::new(mode, TenantId::new(mode, 7).unwrap()).unwrap()
}

fn encoded(raw: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    memcomparable::encode(raw, &mut out);
    out
}

fn bounds(regions: &[pdpb::Region]) -> Vec<(Vec<u8>, Vec<u8>)> {
    regions
        .iter()
        .map(|region| (start_key(region).to_vec(), end_key(region).to_vec()))
        .collect()
}

fn ready<T>(future: impl Future<Output = Result<T, Refusal>>) -> T {
    futures::executor::block_on(future).unwrap()
}

/// Raw physical and logical bytes around everything that matters in `table` mode.
fn ruler() -> Vec<Vec<u8>> {
    let mut fences: Vec<Vec<u8>> = vec![
        b"".to_vec(),
        b"a".to_vec(),
        b"m".to_vec(),
        b"m\x01\x00\x06z".to_vec(),
        b"m\x01\x00\x07".to_vec(),
        b"m\x01\x00\x07DB".to_vec(),
        b"m\x01\x00\x07Next".to_vec(),
        b"m\x01\x00\x08".to_vec(),
        b"mDB".to_vec(),
        b"mNext".to_vec(),
        b"n".to_vec(),
        b"t".to_vec(),
        b"u".to_vec(),
        b"x\x00\x00\x07".to_vec(),
        b"x\x00\x00\x07mDB".to_vec(),
        b"x\x00\x00\x07t\x80".to_vec(),
        b"x\x00\x00\x08".to_vec(),
        b"z".to_vec(),
    ];
    for tag in [0x8000u16, 0x8006, 0x8007, 0x8008] {
        for id in [0u8, 5, 9] {
            let [high, low] = tag.to_be_bytes();
            fences.push(vec![b't', high, low, 0, 0, 0, 0, 0, id]);
        }
        fences.push(vec![b't', (tag >> 8) as u8, tag as u8]);
    }
    fences
}

fn some_keys() -> impl Strategy<Value = Vec<Vec<u8>>> {
    let key = prop_oneof![
        3 => prop::sample::select(ruler()),
        1 => prop::collection::vec(any::<u8>(), 0..12),
    ];
    prop::collection::vec(key.prop_map(|raw| encoded(&raw)), 0..14)
}

fn a_key() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        prop::sample::select(ruler()).prop_map(|raw| encoded(&raw)),
        Just(Vec::new()),
    ]
}

fn a_mode() -> impl Strategy<Value = Mode> {
    prop::sample::select(vec![Mode::Table, Mode::Keyspace])
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn a_full_scan_tiles_the_key_space(mode in a_mode(), cuts in some_keys()) {
        let keyspace = keyspace(mode);
        let cluster = Cluster::cut_at(cuts);
        let view = RegionView { keyspace: &keyspace, source: &cluster };
        let found = bounds(&ready(view.scan(b"", b"", 0)));
        prop_assert_eq!(&found.first().unwrap().0, b"");
        prop_assert_eq!(&found.last().unwrap().1, b"");
        for pair in found.windows(2) {
            prop_assert_eq!(&pair[0].1, &pair[1].0);
            prop_assert!(!pair[0].1.is_empty());
        }
    }

    #[test]
    fn walking_by_end_keys_meets_the_same_regions(
        mode in a_mode(), cuts in some_keys(), limit in 1i32..4,
    ) {
        let keyspace = keyspace(mode);
        let cluster = Cluster::cut_at(cuts);
        let view = RegionView { keyspace: &keyspace, source: &cluster };
        let all = bounds(&ready(view.scan(b"", b"", 0)));
        let mut paged = Vec::new();
        let mut looked_up = Vec::new();
        let mut next = Vec::new();
        loop {
            let page = bounds(&ready(view.scan(&next, b"", limit)));
            prop_assert!(!page.is_empty() && page.len() <= limit as usize);
            next = page.last().unwrap().1.clone();
            paged.extend(page);
            if next.is_empty() { break; }
        }
        loop {
            let region = ready(view.holding(&next)).unwrap();
            next = end_key(&region).to_vec();
            looked_up.extend(bounds(&[region]));
            if next.is_empty() { break; }
        }
        prop_assert_eq!(&paged, &all);
        prop_assert_eq!(&looked_up, &all);
    }

    #[test]
    fn walking_back_meets_the_same_regions(mode in a_mode(), cuts in some_keys()) {
        let keyspace = keyspace(mode);
        let cluster = Cluster::cut_at(cuts);
        let view = RegionView { keyspace: &keyspace, source: &cluster };
        let mut all = bounds(&ready(view.scan(b"", b"", 0)));
        let mut walked = vec![all.last().unwrap().clone()];
        while let Some(region) = ready(view.before(&walked.last().unwrap().0)) {
            walked.extend(bounds(&[region]));
            prop_assert!(walked.len() <= all.len());
        }
        all.reverse();
        prop_assert_eq!(walked, all);
    }

    #[test]
    fn a_key_is_in_the_region_that_holds_it(
        mode in a_mode(), cuts in some_keys(), key in a_key(),
    ) {
        let keyspace = keyspace(mode);
        let cluster = Cluster::cut_at(cuts);
        let view = RegionView { keyspace: &keyspace, source: &cluster };
        let region = ready(view.holding(&key)).unwrap();
        let at = if key == encoded(b"") { Vec::new() } else { key };
        prop_assert!(start_key(&region) <= at.as_slice());
        prop_assert!(end_key(&region).is_empty() || at.as_slice() < end_key(&region));
    }

    #[test]
    fn a_scan_covers_its_range(
        mode in a_mode(), cuts in some_keys(), one in a_key(), other in a_key(),
    ) {
        let keyspace = keyspace(mode);
        let cluster = Cluster::cut_at(cuts);
        let view = RegionView { keyspace: &keyspace, source: &cluster };
        let (start, end) = if one < other || other.is_empty() { (one, other) } else { (other, one) };
        prop_assume!(start < end || end.is_empty());
        let found = bounds(&ready(view.scan(&start, &end, 0)));
        let all = bounds(&ready(view.scan(b"", b"", 0)));
        let from = if start == encoded(b"") { Vec::new() } else { start };
        let wanted: Vec<_> = all
            .into_iter()
            .filter(|(low, high)| {
                (high.is_empty() || *high > from) && (end.is_empty() || *low < end)
            })
            .collect();
        prop_assert_eq!(found, wanted);
    }

    #[test]
    fn several_ranges_tell_a_region_once(
        mode in a_mode(), cuts in some_keys(), keys in prop::collection::btree_set(a_key(), 4),
    ) {
        let keyspace = keyspace(mode);
        let cluster = Cluster::cut_at(cuts);
        let view = RegionView { keyspace: &keyspace, source: &cluster };
        let keys: Vec<_> = keys.into_iter().collect();
        let range = |start: &Vec<u8>, end: &Vec<u8>| pdpb::KeyRange {
            start_key: start.clone().into(),
            end_key: end.clone().into(),
        };
        let ranges = [range(&keys[0], &keys[1]), range(&keys[2], &keys[3])];
        let found = bounds(&ready(view.scan_all(&ranges, 0)));
        let mut single = bounds(&ready(view.scan(&keys[0], &keys[1], 0)));
        single.extend(bounds(&ready(view.scan(&keys[2], &keys[3], 0))));
        single.dedup();
        prop_assert_eq!(found, single);
    }
}

#[test]
fn the_seam_of_table_mode_is_crossed() {
    let keyspace = keyspace(Mode::Table);
    let cuts = keyspace.ranges().into_iter().flat_map(|range| {
        [
            encoded(range.start.as_slice()),
            encoded(range.end.as_slice()),
        ]
    });
    let cluster = Cluster::cut_at(cuts);
    let view = RegionView {
        keyspace: &keyspace,
        source: &cluster,
    };
    let seam = encoded(b"t");
    let found = ready(view.scan(b"", b"", 0));
    assert_eq!(
        bounds(&found),
        [(vec![], seam.clone()), (seam.clone(), vec![])]
    );
    let before = ready(view.before(&seam)).unwrap();
    assert_eq!(bounds(&[before]), [(vec![], seam.clone())]);
    assert!(ready(view.before(b"")).is_none());
    let last = ready(view.holding(&encoded(b"zzz"))).unwrap();
    assert_eq!(bounds(&[last]), [(seam, vec![])]);
}
