//! What vanishes with a foreign key, and what must not.

use mesh_proto::{Fault, Outcome, Walker, types::mesh::specimen as pb};
use prost::Message as _;

use crate::toy::{FOREIGN_REGION, Toy, Way, table, walk};

fn strip<T: prost::Message + Default>(name: &str, message: &T) -> T {
    let bytes = message.encode_to_vec();
    let out = walk(table(name), &bytes, &mut Toy::new(Way::Strip)).unwrap();
    T::decode(&out[..]).unwrap()
}

fn outcome<T: prost::Message>(name: &str, message: &T) -> (Outcome, Vec<u8>) {
    let mut out = Vec::new();
    let bytes = message.encode_to_vec();
    let outcome = Walker::new()
        .rewrite(table(name), &bytes, &mut Toy::new(Way::Strip), &mut out)
        .unwrap();
    (outcome, out)
}

fn lock(key: &'static str) -> pb::Lock {
    pb::Lock {
        key: key.into(),
        version: 9,
        value: vec![7; 200].into(),
        ..pb::Lock::default()
    }
}

fn region(start: &'static str, end: &'static str) -> pb::Region {
    pb::Region {
        id: 5,
        start_key: start.into(),
        end_key: end.into(),
        epoch: None,
    }
}

#[test]
fn a_foreign_element_of_a_list_vanishes_and_the_others_stay_in_order() {
    let locks = vec![lock("pa"), lock("xb"), lock("pc"), lock("xd")];
    let answer = pb::Answer {
        locks,
        data: "tail".into(),
        ..Default::default()
    };
    let (done, bytes) = outcome("Answer", &answer);
    assert_eq!(done.dropped, 2);
    let out = pb::Answer::decode(&bytes[..]).unwrap();
    assert_eq!(out.locks, [lock("a"), lock("c")]);
    assert_eq!(out.data, "tail");
}

#[test]
fn a_foreign_key_in_a_list_of_keys_takes_only_itself() {
    let secondaries = vec!["pa".into(), "xb".into(), "pc".into()];
    let locked = pb::Lock {
        secondaries,
        ..lock("pk")
    };
    let out = strip(
        "Answer",
        &pb::Answer {
            locked: Some(locked),
            ..Default::default()
        },
    );
    assert_eq!(out.locked.unwrap().secondaries, ["a", "c"]);
}

#[test]
fn a_foreign_key_deep_in_an_element_takes_the_nearest_element() {
    let foreign = pb::answer::Regions {
        region: Some(region("xa", "xb")),
        ..Default::default()
    };
    let own = pb::answer::Regions {
        region: Some(region("pa", "pb")),
        ..Default::default()
    };
    let out = strip(
        "Answer",
        &pb::Answer {
            regions: vec![foreign.clone(), own, foreign],
            ..Default::default()
        },
    );
    assert_eq!(out.regions.len(), 1);
    assert_eq!(out.regions[0].region, Some(region("a", "b")));
}

#[test]
fn nested_lists_lose_only_the_inner_element() {
    let outer = pb::Lock {
        shared: vec![lock("xa"), lock("pb")],
        ..lock("pk")
    };
    let out = strip(
        "Answer",
        &pb::Answer {
            locks: vec![outer],
            ..Default::default()
        },
    );
    assert_eq!(out.locks[0].shared, [lock("b")]);
}

#[test]
fn an_element_that_was_partly_written_vanishes_whole() {
    // Own keys first, so that much of the element is in the output when the foreign one is met.
    let mut foreign = pb::Lock {
        primary: "pprimary".into(),
        ..lock("xk")
    };
    foreign.shared = vec![lock("pa"), lock("pb")];
    foreign.secondaries = vec!["pa".into(); 40];
    let wait = pb::Wait {
        txn: 1,
        key_hash: 8,
        key: "pw".into(),
    };
    let answer = pb::Answer {
        locks: vec![foreign, lock("pz")],
        waits: vec![wait],
        ..Default::default()
    };
    let out = strip("Answer", &answer);
    assert_eq!(out.locks, [lock("z")]);
    assert_eq!(out.waits[0].key, "w");
}

#[test]
fn a_foreign_entry_of_a_map_vanishes() {
    let own = pb::answer::Regions {
        region: Some(region("pa", "pb")),
        ..Default::default()
    };
    let foreign = pb::answer::Regions {
        region: Some(region("xa", "xb")),
        ..Default::default()
    };
    let by_id = [(1, own), (2, foreign)].into();
    let out = strip(
        "Answer",
        &pb::Answer {
            by_id,
            ..Default::default()
        },
    );
    assert_eq!(out.by_id.keys().copied().collect::<Vec<_>>(), [1]);
}

#[test]
fn without_a_list_the_message_that_holds_the_key_vanishes() {
    let answer = pb::Answer {
        locked: Some(lock("xa")),
        data: "tail".into(),
        ..Default::default()
    };
    let (done, bytes) = outcome("Answer", &answer);
    assert_eq!((done.dropped, done.dropped_whole), (1, false));
    let out = pb::Answer::decode(&bytes[..]).unwrap();
    assert_eq!((out.locked, out.data), (None, "tail".into()));
}

#[test]
fn a_foreign_key_of_the_top_message_is_reported_and_nothing_is_written() {
    let (done, bytes) = outcome("Lock", &lock("xa"));
    assert!(done.dropped_whole);
    assert!(bytes.is_empty());
    let (done, bytes) = outcome("Region", &region("xa", "xb"));
    assert!(done.dropped_whole && bytes.is_empty());
}

#[test]
fn an_element_that_others_point_at_never_vanishes() {
    let put = pb::Put {
        mutations: vec![pb::Mutation {
            key: "xa".into(),
            ..Default::default()
        }],
        ..Default::default()
    };
    let error = walk(
        table("Put"),
        &put.encode_to_vec(),
        &mut Toy::new(Way::Strip),
    )
    .unwrap_err();
    assert_eq!((error.field, error.fault), ("mutations", Fault::Positional));
}

#[test]
fn beneath_such_an_element_the_nearest_message_vanishes_instead() {
    use pb::envelope::{Command, command::Cmd};
    let context = pb::Context {
        group: "foreign".into(),
        ..Default::default()
    };
    let get = pb::Get {
        context: Some(context),
        key: "pk".into(),
        version: 3,
    };
    let envelope = pb::Envelope {
        commands: vec![
            Command {
                cmd: Some(Cmd::Get(get)),
                trailer: 4,
            },
            Command {
                cmd: Some(Cmd::Scan(pb::Scan {
                    start_key: "xa".into(),
                    ..Default::default()
                })),
                trailer: 5,
            },
        ],
        ids: vec![1, 2],
        ..Default::default()
    };
    let out = strip("Envelope", &envelope);
    let expected = pb::Get {
        context: None,
        key: "k".into(),
        version: 3,
    };
    let kept = vec![
        Command {
            cmd: Some(Cmd::Get(expected)),
            trailer: 4,
        },
        Command {
            cmd: None,
            trailer: 5,
        },
    ];
    assert_eq!(out.commands, kept);
    assert_eq!(out.ids, [1, 2]);
}

#[test]
fn a_foreign_id_vanishes_from_a_list_packed_or_plain() {
    let answer = pb::Answer {
        region_ids: vec![1, FOREIGN_REGION, 3],
        ..Default::default()
    };
    assert_eq!(strip("Answer", &answer).region_ids, [1, 3]);
    let mut plain = Vec::new();
    for id in [1, FOREIGN_REGION, 3] {
        mesh_proto::wire::put_varint_field(12, id, &mut plain);
    }
    let out = walk(table("Answer"), &plain, &mut Toy::new(Way::Strip)).unwrap();
    assert_eq!(pb::Answer::decode(&out[..]).unwrap().region_ids, [1, 3]);
}

#[test]
fn foreign_bucket_keys_are_left_out_together() {
    let keys = vec!["pa".into(), "xb".into(), "pc".into()];
    let buckets = pb::Buckets {
        version: 1,
        keys,
        period: 2,
    };
    let out = strip("Buckets", &buckets);
    assert_eq!(
        (out.keys, out.version, out.period),
        (vec!["a".into(), "c".into()], 1, 2)
    );
}
