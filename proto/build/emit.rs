//! Writes the model down as Rust statics.

use std::{collections::BTreeMap, fmt::Write};

use crate::{
    decide::{is_edited, is_walked},
    model::{Field, Message, Rpc, Schema, Shape},
};

/// Numbers from here on are found by search instead of by index.
const DENSE: u32 = 128;

/// The text of `tables.rs`.
pub(crate) fn tables(schema: &Schema) -> String {
    let names = schema.messages.iter().enumerate();
    let index: BTreeMap<&str, usize> = names
        .map(|(at, message)| (message.name.as_str(), at))
        .collect();
    let inert: Vec<bool> = schema
        .messages
        .iter()
        .map(|message| message.inert)
        .collect();
    let world = World { index, inert };
    let mut out = hook_enum(schema);
    for (at, message) in schema.messages.iter().enumerate() {
        out += &message_static(at, message, &world);
    }
    out += "/// Every message of the schema, sorted by name.\n";
    let _ = writeln!(
        out,
        "pub static MESSAGES: [&Message; {}] = [",
        schema.messages.len()
    );
    for at in 0..schema.messages.len() {
        let _ = writeln!(out, "    &M{at},");
    }
    out += "];\n";
    out + &rpc_statics(schema, &world)
}

struct World<'a> {
    index: BTreeMap<&'a str, usize>,
    inert: Vec<bool>,
}

impl World<'_> {
    fn index(&self, name: &str) -> usize {
        self.index.get(name).copied().unwrap_or(usize::MAX)
    }

    fn inert(&self, name: &str) -> bool {
        self.inert.get(self.index(name)).copied().unwrap_or(false)
    }
}

fn hook_enum(schema: &Schema) -> String {
    let mut out = String::from(
        "/// Names of the code that must see a whole message.\n\
         #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]\npub enum Hook {\n",
    );
    for hook in &schema.hooks {
        let users: Vec<&str> = schema
            .messages
            .iter()
            .filter(|message| message.hook.as_ref() == Some(hook))
            .map(|message| message.name.as_str())
            .collect();
        let _ = writeln!(out, "    /// On `{}`.\n    {hook},", users.join("`, `"));
    }
    out + "}\n"
}

fn message_static(at: usize, message: &Message, world: &World<'_>) -> String {
    let mut out = String::new();
    let _ = writeln!(out, "static F{at}: [Field; {}] = [", message.fields.len());
    for (position, field) in message.fields.iter().enumerate() {
        out += &field_row(position, field, message, world);
    }
    out += "];\n";
    let dense = dense_rows(at, message);
    let required = bits(message, |field| field.required && !field.repeated);
    let hook = message
        .hook
        .as_ref()
        .map_or("None".to_owned(), |hook| format!("Some(Hook::{hook})"));
    let range = message.range.as_ref().map_or("None".to_owned(), |range| {
        format!(
            "Some(RangeFields {{ start: {}, end: {}, reverse: {:?}, form: Form::{} }})",
            range.start, range.end, range.reverse, range.form
        )
    });
    let _ = writeln!(
        out,
        "static M{at}: Message = Message {{ name: {:?}, fields: &F{at}, dense: &[{dense}], hook: {hook}, \
         inert: {}, range: {range}, hashed_key: {:?}, required: {required} }};",
        message.name, message.inert, message.hashed_key
    );
    out
}

fn dense_rows(at: usize, message: &Message) -> String {
    let last = message
        .fields
        .iter()
        .map(|field| field.number)
        .filter(|number| *number < DENSE)
        .max();
    let row = |number: u32| {
        let position = message
            .fields
            .iter()
            .position(|field| field.number == number);
        position.map_or("None".to_owned(), |position| {
            format!("Some(&F{at}[{position}])")
        })
    };
    let rows: Vec<String> = last.map_or(Vec::new(), |last| (0..=last).map(row).collect());
    rows.join(", ")
}

fn bits(message: &Message, wanted: impl Fn(&Field) -> bool) -> u64 {
    let positions = message
        .fields
        .iter()
        .enumerate()
        .filter(|(_, field)| wanted(field));
    positions.fold(0, |mask, (position, _)| mask | (1 << position))
}

fn field_row(position: usize, field: &Field, message: &Message, world: &World<'_>) -> String {
    let wire = match field.shape {
        Shape::Bool | Shape::Varint => "Varint",
        Shape::Fixed32 => "Fixed32",
        Shape::Fixed64 => "Fixed64",
        Shape::Bytes | Shape::Message => "Len",
    };
    let bit: u64 = 1 << position;
    let exclusive = match field.oneof {
        Some(oneof) => bits(message, |other| other.oneof == Some(oneof)),
        None if field.repeated => 0,
        None => bit,
    };
    let child = field.child.as_ref().map_or("None".to_owned(), |name| {
        format!("Some(&M{})", world.index(name))
    });
    format!(
        "    Field {{ number: {}, name: {:?}, type_name: {:?}, wire: Wire::{wire}, packed_ok: {}, repeated: {}, \
         oneof: {}, class: Class::{}, child: {child}, why: {:?}, positional: {}, required: {}, step: Step::{}, bit: {bit}, \
         exclusive: {exclusive} }},\n",
        field.number,
        field.name,
        field.type_name,
        field.repeated && wire != "Len",
        field.repeated,
        field
            .oneof
            .map_or("None".to_owned(), |oneof| format!("Some({oneof})")),
        field.class,
        field.why,
        field.positional,
        field.required,
        step(field, wire, world),
    )
}

fn step(field: &Field, wire: &str, world: &World<'_>) -> &'static str {
    match &field.child {
        _ if field.class == "Forbidden" => "Forbid",
        Some(child) if is_walked(field) && world.inert(child) => "Check",
        Some(_) if is_walked(field) => "Descend",
        _ if is_edited(field) => "Edit",
        _ if field.repeated && wire != "Len" => "Numbers",
        _ => "Copy",
    }
}

fn rpc_statics(schema: &Schema, world: &World<'_>) -> String {
    let mut out = String::from("/// Every RPC of the schema, sorted by path.\n");
    let _ = writeln!(out, "pub static RPCS: [Rpc; {}] = [", schema.rpcs.len());
    for (index, rpc) in schema.rpcs.iter().enumerate() {
        out += &rpc_row(index, rpc, world);
    }
    out + "];\n"
}

fn rpc_row(index: usize, rpc: &Rpc, world: &World<'_>) -> String {
    let route = match rpc.route.as_str() {
        "FORWARD" => "Forward".to_owned(),
        "SERVE" => "Serve".to_owned(),
        _ => format!("Refuse {{ why: {:?} }}", rpc.refuse_why),
    };
    format!(
        "    Rpc {{ path: {:?}, service: {:?}, method: {:?}, route: Route::{route}, request: &M{}, response: &M{}, \
         client_streaming: {}, server_streaming: {}, index: {index} }},\n",
        rpc.path(),
        rpc.service,
        rpc.method,
        world.index(&rpc.request),
        world.index(&rpc.response),
        rpc.client_streaming,
        rpc.server_streaming,
    )
}
