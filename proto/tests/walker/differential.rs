//! The walker against decode, map, encode: whatever prost reads of both must be the same.

use bytes::Bytes;
use mesh_proto::types::mesh::specimen as pb;
use pb::envelope::command::Cmd;
use proptest::prelude::*;
use prost::Message as _;

use crate::toy::{
    END, ID_OFFSET, TENANT, Toy, Way,
    generate::{self, Dice},
    table, walk,
};

fn key(key: &mut Bytes) {
    if !key.is_empty() {
        *key = [&[TENANT], &key[..]].concat().into();
    }
}

fn text(text: &mut String) {
    if !text.is_empty() {
        text.insert(0, char::from(TENANT));
    }
}

fn range(start: &mut Bytes, end: &mut Bytes) {
    *start = [&[TENANT], &start[..]].concat().into();
    *end = if end.is_empty() {
        Bytes::from(vec![END])
    } else {
        [&[TENANT], &end[..]].concat().into()
    };
}

fn context(context: &mut Option<pb::Context>) {
    context
        .iter_mut()
        .for_each(|context| text(&mut context.group));
}

fn get(message: &mut pb::Get) {
    context(&mut message.context);
    key(&mut message.key);
}

fn put(message: &mut pb::Put) {
    context(&mut message.context);
    message
        .mutations
        .iter_mut()
        .for_each(|mutation| key(&mut mutation.key));
    key(&mut message.primary);
    message.secondaries.iter_mut().for_each(key);
}

fn scan(message: &mut pb::Scan) {
    context(&mut message.context);
    if message.reverse {
        range(&mut message.end_key, &mut message.start_key);
    } else {
        range(&mut message.start_key, &mut message.end_key);
    }
    message
        .more
        .iter_mut()
        .for_each(|span| range(&mut span.start, &mut span.end));
}

fn envelope(message: &mut pb::Envelope) {
    for command in &mut message.commands {
        match &mut command.cmd {
            Some(Cmd::Get(inner)) => get(inner),
            Some(Cmd::Scan(inner)) => scan(inner),
            Some(Cmd::Put(inner)) => put(inner),
            Some(Cmd::RawKey(inner)) => key(inner),
            Some(Cmd::Ping(_)) | None => {}
        }
    }
}

fn lock(message: &mut pb::Lock) {
    key(&mut message.primary);
    key(&mut message.key);
    message.secondaries.iter_mut().for_each(key);
    message.shared.iter_mut().for_each(lock);
}

fn regions(message: &mut pb::answer::Regions) {
    message
        .region
        .iter_mut()
        .for_each(|region| range(&mut region.start_key, &mut region.end_key));
    message.buckets.iter_mut().for_each(|buckets| {
        for key in &mut buckets.keys {
            *key = [&[TENANT], &key[..]].concat().into();
        }
    });
}

fn answer(message: &mut pb::Answer) {
    message.locked.iter_mut().for_each(lock);
    message.locks.iter_mut().for_each(lock);
    message.regions.iter_mut().for_each(regions);
    for wait in &mut message.waits {
        wait.key_hash = hash_unless_absent(wait.key_hash);
        key(&mut wait.key);
    }
    message.by_id.values_mut().for_each(regions);
    text(&mut message.error);
    message.urls.iter_mut().for_each(text);
    key(&mut message.looked_up);
    message
        .table_ids
        .iter_mut()
        .for_each(|id| *id = id.wrapping_add(ID_OFFSET));
    if message.table_id != 0 {
        message.table_id = message.table_id.wrapping_add(ID_OFFSET);
    }
    if message.lease != 0 {
        message.lease = !message.lease;
    }
    if !message.plan.is_empty() {
        let mut plan = pb::Put::decode(message.plan.clone()).unwrap();
        put(&mut plan);
        message.plan = plan.encode_to_vec().into();
    }
    message
        .choice
        .iter_mut()
        .for_each(|choice| key(&mut choice.key));
    message.watch.iter_mut().for_each(watch);
    message.inner.iter_mut().for_each(|inner| answer(inner));
}

fn hash_unless_absent(hash: u64) -> u64 {
    if hash == 0 { 0 } else { hash.wrapping_add(1) }
}

fn watch(message: &mut pb::Watch) {
    message.key = [&[TENANT], &message.key[..]].concat().into();
    if !message.range_end.is_empty() {
        message.range_end = [&[TENANT], &message.range_end[..]].concat().into();
    }
    message.seen.iter_mut().for_each(|pair| key(&mut pair.key));
}

/// `plan` is bytes to prost: its field order is the walker's own, so compare it decoded.
fn plan(message: &mut pb::Answer) -> Vec<pb::Put> {
    let own = std::mem::take(&mut message.plan);
    let mut plans = vec![pb::Put::decode(own).unwrap()];
    plans.extend(message.inner.iter_mut().flat_map(|inner| plan(inner)));
    plans
}

/// Generated messages whose zero numbers are written out are the same to prost as absent ones, but
/// not to the walker, which is asked about each number it sees: start from what prost would send.
fn sent_by_prost<T: prost::Message + Default>(name: &str, seed: u64) -> (T, Vec<u8>) {
    let bytes = generate::message(table(name), &mut Dice::new(seed));
    let message = T::decode(&bytes[..]).unwrap();
    let bytes = message.encode_to_vec();
    (message, bytes)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(768))]

    #[test]
    fn envelopes_are_what_prost_would_make_of_them(seed: u64) {
        let (mut expected, bytes) = sent_by_prost::<pb::Envelope>("Envelope", seed);
        envelope(&mut expected);
        let out = walk(table("Envelope"), &bytes, &mut Toy::new(Way::Add)).unwrap();
        let got = pb::Envelope::decode(&out[..]).unwrap();
        prop_assert!(got.encode_to_vec() == expected.encode_to_vec());
    }

    #[test]
    fn answers_are_what_prost_would_make_of_them(seed: u64) {
        let (mut expected, bytes) = sent_by_prost::<pb::Answer>("Answer", seed);
        answer(&mut expected);
        let out = walk(table("Answer"), &bytes, &mut Toy::new(Way::Add)).unwrap();
        let mut got = pb::Answer::decode(&out[..]).unwrap();
        prop_assert!(plan(&mut got) == plan(&mut expected));
        // As bytes: a number that is not one is not even itself.
        prop_assert!(got.encode_to_vec() == expected.encode_to_vec());
    }
}
