use proptest::prelude::*;

use super::*;
use crate::{Limits, Scope, State};
use mesh_keyspace::Mode;

fn record(name: &str, id: u32) -> Record {
    Record {
        name: name.parse().unwrap(),
        scope: Scope::new(Mode::Table, id).unwrap(),
        state: State::Active,
        pd_port: 20000,
        store_ports: BTreeMap::new(),
        created_at: std::time::UNIX_EPOCH,
        limits: Limits::default(),
    }
}

fn pair(key: &str, value: Vec<u8>, revision: i64) -> KeyValue {
    let key = key.as_bytes().to_vec();
    KeyValue {
        key,
        value,
        create_revision: revision,
        mod_revision: revision,
        lease: 0,
    }
}

fn stored(record: &Record, revision: i64) -> KeyValue {
    pair(
        &paths::tenant(&record.name),
        serde_json::to_vec(record).unwrap(),
        revision,
    )
}

fn batch(revision: i64, events: Vec<WatchEvent>) -> WatchBatch {
    WatchBatch {
        revision: Some(revision),
        events,
    }
}

#[test]
fn an_unreadable_record_takes_its_tenant_out_and_a_good_one_brings_it_back() {
    let alpha = record("alpha", 1);
    let listing = RangeOutcome {
        kvs: vec![stored(&alpha, 3)],
        revision: 5,
    };
    let table = TenantTable::from_listing(listing);
    assert_eq!(
        (table.len(), table.revision(), table.is_current()),
        (1, 5, true)
    );

    let key = paths::tenant(&alpha.name);
    let broken = table.after(&batch(
        6,
        vec![WatchEvent::Put(pair(&key, b"{}".to_vec(), 6))],
    ));
    assert!(broken.is_empty());
    assert!(broken.unreadable().contains_key(&key));
    assert_eq!(table.len(), 1, "an older snapshot stays as it was");

    let mended = broken.after(&batch(7, vec![WatchEvent::Put(stored(&alpha, 7))]));
    assert_eq!(
        mended.get(&alpha.name).map(|found| found.as_ref()),
        Some(&alpha)
    );
    assert!(mended.unreadable().is_empty());
}

#[test]
fn a_record_under_anothers_key_is_not_served() {
    let misplaced = pair(
        "/tidb-mesh/v1/tenants/beta",
        serde_json::to_vec(&record("alpha", 1)).unwrap(),
        1,
    );
    let table = TenantTable::from_listing(RangeOutcome {
        kvs: vec![misplaced],
        revision: 1,
    });
    assert!(table.is_empty());
    assert_eq!(table.unreadable().len(), 1);
}

#[test]
fn losing_etcd_keeps_the_tenants() {
    let listing = RangeOutcome {
        kvs: vec![stored(&record("alpha", 1), 1)],
        revision: 1,
    };
    let table = TenantTable::from_listing(listing).stale();
    assert_eq!(table.len(), 1);
    assert!(!table.is_current());
}

proptest! {
    /// Whatever happened, following the changes shows what a fresh listing would.
    #[test]
    fn following_equals_listing(
        changes in proptest::collection::vec((0..4u32, 0..4u32, any::<bool>()), 0..30),
        cut in 1..6usize,
    ) {
        let mut truth = BTreeMap::new();
        let mut followed = TenantTable::from_listing(RangeOutcome { kvs: vec![], revision: 0 });
        let mut revision = 0;
        for chunk in changes.chunks(cut) {
            let mut events = Vec::new();
            for (tenant, id, put) in chunk {
                revision += 1;
                let name = format!("t{tenant}");
                if *put {
                    let kv = match id {
                        0 => pair(&format!("{}{name}", paths::TENANTS), b"junk".to_vec(), revision),
                        id => stored(&record(&name, *id), revision),
                    };
                    truth.insert(kv.key.clone(), kv.clone());
                    events.push(WatchEvent::Put(kv));
                } else {
                    let key = format!("{}{name}", paths::TENANTS).into_bytes();
                    truth.remove(&key);
                    events.push(WatchEvent::Delete { key });
                }
            }
            followed = followed.after(&batch(revision, events));
        }
        let kvs = truth.into_values().collect();
        let listed = TenantTable::from_listing(RangeOutcome { kvs, revision });
        prop_assert_eq!(followed, listed);
    }
}
