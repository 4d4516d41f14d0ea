//! Checks that every decision is there and fits, and derives what follows from them.

use std::collections::{BTreeMap, BTreeSet};

use crate::model::{Field, Message, Range, Rpc, Schema, Shape};

/// The walker keeps what it has seen of a message in one 64-bit word.
const MOST_FIELDS: usize = 64;

/// Fills in ranges, hashed keys and inertness; returns everything that is wrong.
pub(crate) fn faults(schema: &mut Schema) -> Vec<String> {
    let known: BTreeSet<String> = schema
        .messages
        .iter()
        .map(|message| message.name.clone())
        .collect();
    let mut faults = Vec::new();
    for message in &mut schema.messages {
        for field in &message.fields {
            let complaints = field_faults(field, &known).into_iter();
            faults.extend(
                complaints.map(|fault| format!("{}.{}: {fault}", message.name, field.name)),
            );
        }
        let complaints = message_faults(message).into_iter();
        faults.extend(complaints.map(|fault| format!("{}: {fault}", message.name)));
    }
    for rpc in &schema.rpcs {
        faults.extend(
            rpc_faults(rpc, &known)
                .into_iter()
                .map(|fault| format!("{}: {fault}", rpc.path())),
        );
    }
    if faults.is_empty() {
        mark_inert(&mut schema.messages);
    }
    faults
}

fn rpc_faults(rpc: &Rpc, known: &BTreeSet<String>) -> Vec<String> {
    let mut faults = Vec::new();
    match rpc.route.as_str() {
        "FORWARD" | "SERVE" if !rpc.refuse_why.is_empty() => {
            faults.push("refuse_why on an RPC that is not refused".to_owned())
        }
        "FORWARD" | "SERVE" => {}
        "REFUSE" if rpc.refuse_why.is_empty() => {
            faults.push("REFUSE without refuse_why".to_owned())
        }
        "REFUSE" => {}
        _ => faults.push("no route: say FORWARD, SERVE or REFUSE".to_owned()),
    }
    for name in [&rpc.request, &rpc.response] {
        if !known.contains(name) {
            faults.push(format!("message {name} is not in a table"));
        }
    }
    faults
}

fn field_faults(field: &Field, known: &BTreeSet<String>) -> Vec<String> {
    let mut faults = Vec::new();
    if field.type_name == "group" {
        faults.push("groups are refused on the wire and cannot be in the schema".to_owned());
    }
    faults.extend(class_fault(field));
    if let Some(child) = field.child.as_ref().filter(|child| !known.contains(*child)) {
        faults.push(format!("nested message {child} is not in the schema"));
    }
    if field.positional && !field.repeated {
        faults.push("positional on a field that is not repeated".to_owned());
    }
    if field.required && !matches!(field.class.as_str(), "RawKey" | "EncodedKey" | "EtcdKey") {
        faults.push("required on a field that is not a key".to_owned());
    }
    if matches!(field.class.as_str(), "Opaque" | "Forbidden") && field.why.is_empty() {
        faults.push(format!("{} without why", field.class.to_uppercase()));
    }
    faults
}

fn class_fault(field: &Field) -> Option<String> {
    let nested_name = field.shape == Shape::Bytes && field.child.is_some();
    let one = !field.repeated;
    // The walker reads ids as they stand on the wire.
    let zigzag = field.type_name.starts_with("sint");
    let fits = match field.class.as_str() {
        "Undecided" if field.shape == Shape::Bytes => {
            return Some(format!(
                "{} without a class: say what it holds",
                field.type_name
            ));
        }
        "Undecided" | "Opaque" | "Forbidden" => !nested_name,
        "RawStart" | "RawEnd" | "EncodedStart" | "EncodedEnd" | "EtcdRangeEnd" => {
            field.shape == Shape::Bytes && one && !nested_name
        }
        "RawKey" | "EncodedKey" | "EtcdKey" | "Text" | "Address" | "ScopedName" => {
            field.shape == Shape::Bytes && !nested_name
        }
        "BucketKeys" => field.shape == Shape::Bytes && field.repeated && !nested_name,
        "Reverse" => field.shape == Shape::Bool && one,
        "KeyHash" => field.shape == Shape::Varint && one && !zigzag,
        "TableId" | "LeaseId" | "RegionId" => field.shape == Shape::Varint && !zigzag,
        "Nested" => nested_name,
        other => return Some(format!("class {other} is unknown to the build step")),
    };
    (!fits).then(|| {
        format!(
            "class {} does not fit {} here",
            field.class, field.type_name
        )
    })
}

fn message_faults(message: &mut Message) -> Vec<String> {
    let mut faults = Vec::new();
    if message.fields.len() > MOST_FIELDS {
        faults.push(format!("more than {MOST_FIELDS} fields"));
    }
    if message
        .fields
        .iter()
        .filter_map(|field| field.oneof)
        .any(|oneof| oneof > usize::from(u8::MAX))
    {
        faults.push("too many oneofs".to_owned());
    }
    match range(message) {
        Ok(range) => message.range = range,
        Err(fault) => faults.push(fault),
    }
    match hashed_key(message) {
        Ok(key) => message.hashed_key = key,
        Err(fault) => faults.push(fault),
    }
    faults
}

fn numbers(message: &Message, class: &str) -> Vec<u32> {
    message
        .fields
        .iter()
        .filter(|field| field.class == class)
        .map(|field| field.number)
        .collect()
}

fn range(message: &Message) -> Result<Option<Range>, String> {
    let pairs = [
        ("RawStart", "RawEnd", "Raw"),
        ("EncodedStart", "EncodedEnd", "Encoded"),
        ("EtcdKey", "EtcdRangeEnd", "Etcd"),
    ];
    let reverse = numbers(message, "Reverse");
    let mut found = Vec::new();
    for (start_class, end_class, form) in pairs {
        match (
            numbers(message, start_class).as_slice(),
            numbers(message, end_class).as_slice(),
        ) {
            ([], []) => {}
            // An etcd key without a range end is a key like any other.
            (_, []) if form == "Etcd" => {}
            (&[start], &[end]) => found.push(Range {
                start,
                end,
                reverse: reverse.first().copied(),
                form,
            }),
            _ => {
                return Err(format!(
                    "{start_class} and {end_class} must come as one pair"
                ));
            }
        }
    }
    if found.len() > 1 {
        return Err("owns more than one range".to_owned());
    }
    if reverse.len() > 1 || (found.is_empty() && !reverse.is_empty()) {
        return Err("REVERSE needs exactly one range beside it".to_owned());
    }
    Ok(found.pop())
}

/// The key that a hash is of: the only raw key beside it; with none or several, a hook must tell.
fn hashed_key(message: &Message) -> Result<Option<u32>, String> {
    let hashes = numbers(message, "KeyHash");
    let keys: Vec<&Field> = message
        .fields
        .iter()
        .filter(|field| field.class == "RawKey")
        .collect();
    match (hashes.len(), keys.as_slice()) {
        (0, _) => Ok(None),
        (1, [key]) if !key.repeated => Ok(Some(key.number)),
        _ if message.hook.is_some() => Ok(None),
        _ => Err("KEY_HASH without exactly one RAW_KEY beside it needs a hook".to_owned()),
    }
}

/// A message is inert unless it, or anything beneath it, is edited or seen by a hook.
fn mark_inert(messages: &mut [Message]) {
    let mut inert: BTreeMap<String, bool> = messages
        .iter()
        .map(|message| (message.name.clone(), own_fields_inert(message)))
        .collect();
    loop {
        let mut changed = false;
        for message in messages.iter() {
            let alive_child = message
                .fields
                .iter()
                .filter(|field| is_walked(field))
                .any(|field| {
                    field
                        .child
                        .as_ref()
                        .is_some_and(|child| inert.get(child) == Some(&false))
                });
            if alive_child && inert.insert(message.name.clone(), false) == Some(true) {
                changed = true;
            }
        }
        if !changed {
            break;
        }
    }
    for message in messages.iter_mut() {
        message.inert = inert.get(&message.name).copied().unwrap_or(false);
    }
}

fn own_fields_inert(message: &Message) -> bool {
    message.hook.is_none() && message.range.is_none() && !message.fields.iter().any(is_edited)
}

/// The key map has a say about the field's value.
pub(crate) fn is_edited(field: &Field) -> bool {
    !matches!(
        field.class.as_str(),
        "Undecided" | "Opaque" | "Forbidden" | "Nested" | "Reverse"
    )
}

/// The walker goes into the message beneath.
pub(crate) fn is_walked(field: &Field) -> bool {
    field.child.is_some() && !matches!(field.class.as_str(), "Opaque" | "Forbidden")
}
