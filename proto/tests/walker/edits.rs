//! Single classes, hooks and overrides, byte by byte.

use mesh_proto::{
    At, Bounds, Edit, Fault, Form, Hook, KeyMap, Nested, Range, Unhandled, Verdict, WalkError,
    Walker, types::mesh::specimen as pb,
};
use prost::Message as _;

use crate::toy::{KIND_PUT, Toy, Way, table, walk};

fn add<T: prost::Message + Default>(name: &str, message: &T) -> T {
    let out = walk(
        table(name),
        &message.encode_to_vec(),
        &mut Toy::new(Way::Add),
    )
    .unwrap();
    T::decode(&out[..]).unwrap()
}

#[test]
fn lengths_that_cross_a_varint_width_are_mended_at_every_level() {
    // At these sizes the key, the mutation and the envelope each pass 127 or 16383.
    for size in (100..132).chain(16_360..16_390) {
        let mutation = pb::Mutation {
            key: vec![b'k'; size].into(),
            value: "v".into(),
            op: 1,
        };
        let put = pb::Put {
            mutations: vec![mutation; 2],
            primary: "p".into(),
            ..Default::default()
        };
        let cmd = Some(pb::envelope::command::Cmd::Put(put));
        let commands = vec![pb::envelope::Command { cmd, trailer: 1 }];
        let envelope = pb::Envelope {
            commands,
            opaque: "tail".into(),
            ..Default::default()
        };
        let out = add("Envelope", &envelope);
        let Some(pb::envelope::command::Cmd::Put(put)) = &out.commands[0].cmd else {
            panic!("still a put")
        };
        assert_eq!(put.mutations.len(), 2);
        assert!(
            put.mutations
                .iter()
                .all(|mutation| mutation.key.len() == size + 1 && mutation.value == "v")
        );
        assert_eq!(
            (&put.primary[..], &out.opaque[..]),
            (&b"pp"[..], &b"tail"[..])
        );
    }
}

#[test]
fn absent_ends_of_a_range_are_added_and_reverse_swaps_them() {
    let scan = pb::Scan {
        limit: 5,
        ..Default::default()
    };
    let out = add("Scan", &scan);
    assert_eq!(
        (&out.start_key[..], &out.end_key[..], out.limit),
        (&b"p"[..], &b"q"[..], 5)
    );
    let out = add(
        "Scan",
        &pb::Scan {
            reverse: true,
            ..Default::default()
        },
    );
    assert_eq!(
        (&out.start_key[..], &out.end_key[..]),
        (&b"q"[..], &b"p"[..])
    );
    assert_eq!(
        add("Span", &pb::Span::default()),
        pb::Span {
            start: "p".into(),
            end: "q".into()
        }
    );
}

#[test]
fn an_etcd_key_without_a_range_end_stays_single() {
    let watch = pb::Watch {
        key: "/k".into(),
        ..Default::default()
    };
    assert_eq!(
        add("Watch", &watch),
        pb::Watch {
            key: "p/k".into(),
            ..Default::default()
        }
    );
}

#[test]
fn fields_keep_the_order_they_came_in() {
    let bytes = [&[0x18, 1, 0x12, 1][..], b"k", &[0x0a, 0]].concat();
    let out = walk(table("Get"), &bytes, &mut Toy::new(Way::Add)).unwrap();
    assert_eq!(out, [&[0x18, 1, 0x12, 2][..], b"pk", &[0x0a, 0]].concat());
}

#[test]
fn a_region_id_is_shown_and_stays() {
    let mut toy = Toy::new(Way::Add);
    let context = pb::Context {
        region_id: 77,
        ..Default::default()
    };
    let _ = walk(table("Context"), &context.encode_to_vec(), &mut toy).unwrap();
    assert_eq!(toy.regions, [77]);
}

#[test]
fn a_hook_decides_what_bytes_are() {
    let put = pb::Put {
        primary: "k".into(),
        ..Default::default()
    }
    .encode_to_vec();
    let choice = |kind| pb::Choice {
        kind,
        data: put.clone().into(),
        key: "c".into(),
    };
    assert_eq!(add("Choice", &choice(0)).data, put);
    let out = pb::Put::decode(add("Choice", &choice(KIND_PUT)).data).unwrap();
    assert_eq!(out.primary, "pk");
    let answer = pb::Answer {
        choice: Some(choice(KIND_PUT)),
        error: "e".into(),
        ..Default::default()
    };
    let out = add("Answer", &answer);
    assert_eq!(out.choice.unwrap().key, "pc");
    assert_eq!(out.error, "pe");
}

/// Does in its hook whatever the test says; every class but keys is unhandled.
struct Hooked<F>(F);

impl<F> KeyMap for Hooked<F>
where
    F: FnMut(&[u8], &mut Nested<'_>, &mut Vec<u8>) -> Result<Verdict, WalkError<Unhandled>>,
{
    type Error = Unhandled;

    fn key(&mut self, _: At, _: Form, _: &[u8], out: &mut Vec<u8>) -> Result<Verdict, Unhandled> {
        out.extend_from_slice(b"garbage that Same takes back");
        Ok(Verdict::Same)
    }

    fn range(&mut self, _: At, _: Range<'_>, _: &mut Bounds) -> Result<Verdict, Unhandled> {
        Ok(Verdict::Same)
    }

    fn hook(
        &mut self,
        _: Hook,
        body: &[u8],
        nested: &mut Nested<'_>,
        out: &mut Vec<u8>,
    ) -> Result<Verdict, WalkError<Unhandled>> {
        (self.0)(body, nested, out)
    }
}

fn hooked(
    message: &pb::Answer,
    hook: impl FnMut(&[u8], &mut Nested<'_>, &mut Vec<u8>) -> Result<Verdict, WalkError<Unhandled>>,
) -> Result<pb::Answer, WalkError<Unhandled>> {
    let mut out = Vec::new();
    let _ = mesh_proto::rewrite(
        table("Answer"),
        &message.encode_to_vec(),
        &mut Hooked(hook),
        &mut out,
    )?;
    Ok(pb::Answer::decode(&out[..]).unwrap())
}

fn with_choice() -> pb::Answer {
    let choice = pb::Choice {
        kind: 3,
        data: "data".into(),
        key: "key".into(),
    };
    pb::Answer {
        choice: Some(choice),
        looked_up: "k".into(),
        data: "tail".into(),
        ..Default::default()
    }
}

#[test]
fn same_leaves_everything_byte_for_byte() {
    let answer = with_choice();
    let mut map = Hooked(|_: &[u8], _: &mut Nested<'_>, out: &mut Vec<u8>| {
        out.extend_from_slice(b"forgotten");
        Ok(Verdict::Same)
    });
    let mut out = Vec::new();
    let outcome = Walker::new()
        .edit(table("Answer"), &answer.encode_to_vec(), &mut map, &mut out)
        .unwrap();
    assert!(outcome.unchanged && out.is_empty());
}

#[test]
fn a_hook_overrides_removes_and_adds_fields() {
    let answer = with_choice();
    let edits = [
        (1, Edit::Varint(900)),
        (2, Edit::Remove),
        (3, Edit::Bytes(b"other")),
    ];
    let out = hooked(&answer, |body, nested, out| {
        let mut unhandled =
            Hooked(|_: &[u8], _: &mut Nested<'_>, _: &mut Vec<u8>| Ok(Verdict::Drop));
        nested.rewrite_with(body, &edits, &mut unhandled, out)
    });
    let choice = pb::Choice {
        kind: 900,
        data: "".into(),
        key: "other".into(),
    };
    assert_eq!(
        out.unwrap(),
        pb::Answer {
            choice: Some(choice),
            ..with_choice()
        }
    );

    let bare = pb::Answer {
        choice: Some(pb::Choice::default()),
        ..Default::default()
    };
    let out = hooked(&bare, |body, nested, out| {
        let mut unhandled =
            Hooked(|_: &[u8], _: &mut Nested<'_>, _: &mut Vec<u8>| Ok(Verdict::Drop));
        nested.rewrite_with(body, &edits, &mut unhandled, out)
    });
    let choice = pb::Choice {
        kind: 900,
        data: "".into(),
        key: "other".into(),
    };
    assert_eq!(out.unwrap().choice, Some(choice));
}

#[test]
fn a_hook_drops_its_message() {
    let out = hooked(&with_choice(), |_, _, out| {
        out.extend_from_slice(b"half");
        Ok(Verdict::Drop)
    });
    assert_eq!(
        out.unwrap(),
        pb::Answer {
            choice: None,
            ..with_choice()
        }
    );
}

#[test]
fn a_hook_that_takes_back_output_is_an_error() {
    let mut map = Hooked(|_: &[u8], _: &mut Nested<'_>, out: &mut Vec<u8>| {
        out.clear();
        Ok(Verdict::Keep)
    });
    let mut out = b"before".to_vec();
    let error = mesh_proto::rewrite(table("Choice"), &[], &mut map, &mut out).unwrap_err();
    assert_eq!(error.fault, Fault::Output);
}

#[test]
fn a_hook_that_only_looks_writes_nothing() {
    let out = hooked(&with_choice(), |body, nested, out| {
        let mut quiet = Hooked(|_: &[u8], _: &mut Nested<'_>, _: &mut Vec<u8>| Ok(Verdict::Drop));
        let verdict = nested.edit(body, &mut quiet, out)?;
        assert!(verdict == Verdict::Same && out.is_empty());
        Ok(verdict)
    });
    assert_eq!(out.unwrap(), with_choice());
}

#[test]
fn a_class_that_nobody_handles_is_an_error_with_its_place() {
    let error = hooked(
        &pb::Answer {
            error: "text".into(),
            ..Default::default()
        },
        |_, _, _| Ok(Verdict::Same),
    );
    let error = error.unwrap_err();
    assert_eq!(
        (error.message, error.field),
        ("mesh.specimen.Answer", "error")
    );
    assert_eq!(
        error.fault,
        Fault::Map(Unhandled::Class(mesh_proto::Class::Text))
    );
}

#[test]
fn the_top_messages_own_hook_runs_too() {
    let choice = pb::Choice {
        kind: 1,
        ..Default::default()
    };
    let mut map = Hooked(|_: &[u8], nested: &mut Nested<'_>, out: &mut Vec<u8>| {
        assert_eq!(nested.message().name, "mesh.specimen.Choice");
        out.extend_from_slice(&[0x08, 0x05]);
        Ok(Verdict::Keep)
    });
    let mut out = Vec::new();
    let _ =
        mesh_proto::rewrite(table("Choice"), &choice.encode_to_vec(), &mut map, &mut out).unwrap();
    assert_eq!(out, [0x08, 0x05]);
}

#[test]
fn a_hook_that_is_not_wanted_leaves_its_message_to_the_table() {
    struct Unwanted;
    impl KeyMap for Unwanted {
        type Error = Unhandled;

        fn key(
            &mut self,
            _: At,
            _: Form,
            key: &[u8],
            out: &mut Vec<u8>,
        ) -> Result<Verdict, Unhandled> {
            out.extend(key.iter().rev());
            Ok(Verdict::Keep)
        }

        fn range(&mut self, _: At, _: Range<'_>, _: &mut Bounds) -> Result<Verdict, Unhandled> {
            Ok(Verdict::Same)
        }

        fn wants(&self, _: Hook) -> bool {
            false
        }
    }
    let mut out = Vec::new();
    let _ = mesh_proto::rewrite(
        table("Answer"),
        &with_choice().encode_to_vec(),
        &mut Unwanted,
        &mut out,
    )
    .unwrap();
    let choice = pb::Choice {
        key: "yek".into(),
        ..with_choice().choice.unwrap()
    };
    assert_eq!(
        pb::Answer::decode(&out[..]).unwrap(),
        pb::Answer {
            choice: Some(choice),
            ..with_choice()
        }
    );
}
