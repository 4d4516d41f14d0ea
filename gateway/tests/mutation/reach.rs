//! Which messages the gateway's key phases can meet, and by which fields one gets there.

use std::collections::{BTreeMap, VecDeque};

use mesh_proto::{Field, Form, Message, Route, tables};

use crate::corpus::walked;

/// Which of the two phases.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Direction {
    Up,
    Down,
}

/// One way into a message.
pub struct Way {
    pub root: &'static Message,
    pub path: Vec<&'static Field>,
}

pub type Reach = BTreeMap<(Direction, &'static str), Way>;

/// Frames of this RPC are taken apart by code; its entries are what goes through the phases.
const BATCH: &str = "/tikvpb.Tikv/BatchCommands";
const ENTRIES: [(Direction, &str); 2] = [
    (Direction::Up, "tikvpb.BatchCommandsRequest.Request"),
    (Direction::Down, "tikvpb.BatchCommandsResponse.Response"),
];

/// Everything beneath requests and answers of forwarded RPCs, by the shortest way.
pub fn reach() -> Reach {
    let mut reach = Reach::new();
    let forwarded = tables::RPCS
        .iter()
        .filter(|rpc| rpc.route == Route::Forward && rpc.path != BATCH);
    for rpc in forwarded {
        add(&mut reach, Direction::Up, rpc.request);
        add(&mut reach, Direction::Down, rpc.response);
    }
    for (direction, entry) in ENTRIES {
        add(&mut reach, direction, tables::message(entry).unwrap());
    }
    reach
}

fn add(reach: &mut Reach, direction: Direction, root: &'static Message) {
    let mut next: VecDeque<(&'static Message, Vec<&'static Field>)> = [(root, vec![])].into();
    while let Some((message, path)) = next.pop_front() {
        let key = (direction, message.name);
        if reach
            .get(&key)
            .is_some_and(|way| way.path.len() <= path.len())
        {
            continue;
        }
        for field in message.fields {
            if let Some(child) = walked(field) {
                let path = path.iter().copied().chain([field]).collect();
                next.push_back((child, path));
            }
        }
        reach.insert(key, Way { root, path });
    }
}

/// The ways from a list's elements to what the gateway leaves out of answers: regions, since any
/// other foreign key fails the answer. Nothing beneath a nearer list takes the element along.
pub fn vanishing(list: &'static Field) -> Vec<(Vec<&'static Field>, &'static Message)> {
    let mut found = Vec::new();
    let mut next: VecDeque<Vec<&'static Field>> = [vec![list]].into();
    while let Some(path) = next.pop_front() {
        let Some(message) = walked(path[path.len() - 1]) else {
            continue;
        };
        if message
            .range
            .is_some_and(|range| range.form == Form::Encoded)
        {
            found.push((path.clone(), message));
        }
        let inner = message
            .fields
            .iter()
            .filter(|field| !field.repeated && !path.contains(field));
        next.extend(inner.map(|field| path.iter().copied().chain([field]).collect()));
    }
    found
}
