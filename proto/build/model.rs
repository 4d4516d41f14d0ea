//! The schema as the build step sees it: every message, field and RPC with its decision.

use std::collections::{BTreeMap, BTreeSet};

use prost_reflect::{
    Cardinality, DescriptorPool, FieldDescriptor, Kind, MessageDescriptor, ServiceDescriptor,
};

use crate::{
    decide,
    options::{FieldOptions, Options, camel},
};

/// Files of these packages declare no message of a routed protocol.
const FOREIGN_PACKAGES: [&str; 2] = ["google.protobuf", "mesh"];

pub(crate) struct Schema {
    pub(crate) messages: Vec<Message>,
    pub(crate) rpcs: Vec<Rpc>,
    pub(crate) hooks: BTreeSet<String>,
}

pub(crate) struct Message {
    pub(crate) name: String,
    pub(crate) fields: Vec<Field>,
    pub(crate) hook: Option<String>,
    pub(crate) inert: bool,
    pub(crate) range: Option<Range>,
    pub(crate) hashed_key: Option<u32>,
}

pub(crate) struct Range {
    pub(crate) start: u32,
    pub(crate) end: u32,
    pub(crate) reverse: Option<u32>,
    pub(crate) form: &'static str,
}

pub(crate) struct Field {
    pub(crate) number: u32,
    pub(crate) name: String,
    pub(crate) type_name: String,
    pub(crate) shape: Shape,
    pub(crate) repeated: bool,
    pub(crate) oneof: Option<usize>,
    pub(crate) class: String,
    /// Full name of the message beneath.
    pub(crate) child: Option<String>,
    pub(crate) why: String,
    pub(crate) positional: bool,
    pub(crate) required: bool,
}

/// What one value looks like on the wire.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shape {
    Bool,
    Varint,
    Fixed32,
    Fixed64,
    Bytes,
    Message,
}

pub(crate) struct Rpc {
    pub(crate) service: String,
    pub(crate) method: String,
    pub(crate) route: String,
    pub(crate) refuse_why: String,
    pub(crate) request: String,
    pub(crate) response: String,
    pub(crate) client_streaming: bool,
    pub(crate) server_streaming: bool,
}

impl Rpc {
    pub(crate) fn path(&self) -> String {
        format!("/{}/{}", self.service, self.method)
    }
}

impl Schema {
    /// Reads and checks everything; the error is the whole list of faults.
    pub(crate) fn read(pool: &DescriptorPool) -> Result<Self, Vec<String>> {
        let options = Options::find(pool).map_err(|fault| vec![fault])?;
        let map_fields = map_fields(pool, &options);
        let mut schema = Self {
            messages: Vec::new(),
            rpcs: Vec::new(),
            hooks: BTreeSet::new(),
        };
        let ours = |package: &str| !FOREIGN_PACKAGES.contains(&package);
        for message in pool
            .all_messages()
            .filter(|message| ours(message.package_name()))
        {
            schema
                .messages
                .push(read_message(&message, &options, &map_fields));
        }
        for service in pool
            .services()
            .filter(|service| ours(service.package_name()))
        {
            schema.rpcs.extend(read_service(&service, &options));
        }
        schema.messages.sort_by(|a, b| a.name.cmp(&b.name));
        schema.rpcs.sort_by_key(Rpc::path);
        schema.hooks = schema
            .messages
            .iter()
            .filter_map(|message| message.hook.clone())
            .collect();
        let faults = decide::faults(&mut schema);
        if faults.is_empty() {
            Ok(schema)
        } else {
            Err(faults)
        }
    }
}

/// Entries of maps are generated, so what the map field says holds for the entry's scalars.
fn map_fields(pool: &DescriptorPool, options: &Options) -> BTreeMap<String, FieldOptions> {
    let fields = pool
        .all_messages()
        .flat_map(|message| message.fields().collect::<Vec<_>>());
    fields
        .filter(FieldDescriptor::is_map)
        .filter_map(|field| {
            Some((
                field.kind().as_message()?.full_name().to_owned(),
                options.field(&field),
            ))
        })
        .collect()
}

fn read_message(
    message: &MessageDescriptor,
    options: &Options,
    map_fields: &BTreeMap<String, FieldOptions>,
) -> Message {
    let map_field = map_fields.get(message.full_name());
    let mut fields: Vec<Field> = message
        .fields()
        .map(|field| read_field(&field, options, map_field))
        .collect();
    fields.sort_by_key(|field| field.number);
    Message {
        name: message.full_name().to_owned(),
        fields,
        hook: options.hook(message).map(|name| camel(&name)),
        inert: false,
        range: None,
        hashed_key: None,
    }
}

fn read_field(
    field: &FieldDescriptor,
    options: &Options,
    map_field: Option<&FieldOptions>,
) -> Field {
    let shape = shape(&field.kind());
    let mut said = options.field(field);
    match map_field {
        Some(map_field) if shape != Shape::Message => {
            said.class.clone_from(&map_field.class);
            said.why.clone_from(&map_field.why);
        }
        Some(_) => {}
        // A map's class is about the scalars of its entries; the entries themselves are walked.
        None if field.is_map() && said.class != "Forbidden" => said.class = "Undecided".to_owned(),
        None => {}
    }
    let beneath = field
        .kind()
        .as_message()
        .map(|message| message.full_name().to_owned());
    Field {
        number: field.number(),
        name: field.name().to_owned(),
        type_name: type_name(field),
        shape,
        repeated: field.cardinality() == Cardinality::Repeated,
        oneof: real_oneof(field),
        class: said.class,
        child: beneath.or_else(|| (!said.nested.is_empty()).then_some(said.nested)),
        why: said.why,
        positional: said.positional,
        required: said.required,
    }
}

/// Proto3 `optional` is written as a oneof of one member; that is none.
fn real_oneof(field: &FieldDescriptor) -> Option<usize> {
    let oneof = field.containing_oneof()?;
    if oneof.is_synthetic() {
        return None;
    }
    field
        .parent_message()
        .oneofs()
        .position(|other| other == oneof)
}

fn shape(kind: &Kind) -> Shape {
    match kind {
        Kind::Double | Kind::Fixed64 | Kind::Sfixed64 => Shape::Fixed64,
        Kind::Float | Kind::Fixed32 | Kind::Sfixed32 => Shape::Fixed32,
        Kind::Int32
        | Kind::Int64
        | Kind::Uint32
        | Kind::Uint64
        | Kind::Sint32
        | Kind::Sint64
        | Kind::Enum(_) => Shape::Varint,
        Kind::Bool => Shape::Bool,
        Kind::String | Kind::Bytes => Shape::Bytes,
        Kind::Message(_) => Shape::Message,
    }
}

fn type_name(field: &FieldDescriptor) -> String {
    if field.is_group() {
        return "group".to_owned();
    }
    match field.kind() {
        Kind::Message(message) => message.full_name().to_owned(),
        Kind::Enum(name) => name.full_name().to_owned(),
        scalar => format!("{scalar:?}").to_lowercase(),
    }
}

fn read_service(service: &ServiceDescriptor, options: &Options) -> Vec<Rpc> {
    let read = |method: prost_reflect::MethodDescriptor| {
        let (route, refuse_why) = options.route(&method);
        Rpc {
            service: service.full_name().to_owned(),
            method: method.name().to_owned(),
            route,
            refuse_why,
            request: method.input().full_name().to_owned(),
            response: method.output().full_name().to_owned(),
            client_streaming: method.is_client_streaming(),
            server_streaming: method.is_server_streaming(),
        }
    };
    service.methods().map(read).collect()
}
