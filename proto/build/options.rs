//! Reads our annotations off descriptors.

use prost_reflect::{
    DescriptorPool, DynamicMessage, ExtensionDescriptor, FieldDescriptor, MessageDescriptor,
    MethodDescriptor, Value,
};

/// Handles of the extensions that `mesh/options.proto` declares.
pub(crate) struct Options {
    class: ExtensionDescriptor,
    nested: ExtensionDescriptor,
    why: ExtensionDescriptor,
    positional: ExtensionDescriptor,
    required: ExtensionDescriptor,
    hook: ExtensionDescriptor,
    route: ExtensionDescriptor,
    refuse_why: ExtensionDescriptor,
}

/// What a field's annotations say.
pub(crate) struct FieldOptions {
    /// Camel-case class name.
    pub(crate) class: String,
    pub(crate) nested: String,
    pub(crate) why: String,
    pub(crate) positional: bool,
    pub(crate) required: bool,
}

impl Options {
    /// Fails with the name of an annotation that the pool does not know.
    pub(crate) fn find(pool: &DescriptorPool) -> Result<Self, String> {
        let find = |name: &str| {
            let full = format!("mesh.{name}");
            pool.get_extension_by_name(&full)
                .ok_or(format!("annotation {full} is not declared"))
        };
        Ok(Self {
            class: find("class")?,
            nested: find("nested")?,
            why: find("why")?,
            positional: find("positional")?,
            required: find("required")?,
            hook: find("hook")?,
            route: find("route")?,
            refuse_why: find("refuse_why")?,
        })
    }

    pub(crate) fn field(&self, field: &FieldDescriptor) -> FieldOptions {
        let options = field.options();
        FieldOptions {
            class: camel(&enum_name(&options, &self.class)),
            nested: text(&options, &self.nested),
            why: text(&options, &self.why),
            positional: flag(&options, &self.positional),
            required: flag(&options, &self.required),
        }
    }

    pub(crate) fn hook(&self, message: &MessageDescriptor) -> Option<String> {
        let name = text(&message.options(), &self.hook);
        (!name.is_empty()).then_some(name)
    }

    /// Route name as the schema writes it, and the reason of a refusal.
    pub(crate) fn route(&self, method: &MethodDescriptor) -> (String, String) {
        let options = method.options();
        (
            enum_name(&options, &self.route),
            text(&options, &self.refuse_why),
        )
    }
}

/// `RAW_KEY`, `raw_key` and `raw-key` all become `RawKey`.
pub(crate) fn camel(name: &str) -> String {
    let mut out = String::new();
    let mut upper = true;
    let shout = !name.chars().any(char::is_lowercase);
    for c in name.chars() {
        if !c.is_alphanumeric() {
            upper = true;
        } else if upper {
            out.extend(c.to_uppercase());
            upper = false;
        } else if shout {
            out.extend(c.to_lowercase());
        } else {
            out.push(c);
        }
    }
    out
}

fn text(options: &DynamicMessage, extension: &ExtensionDescriptor) -> String {
    match options.get_extension(extension).as_ref() {
        Value::String(text) => text.clone(),
        _ => String::new(),
    }
}

fn flag(options: &DynamicMessage, extension: &ExtensionDescriptor) -> bool {
    matches!(options.get_extension(extension).as_ref(), Value::Bool(true))
}

fn enum_name(options: &DynamicMessage, extension: &ExtensionDescriptor) -> String {
    let number = match options.get_extension(extension).as_ref() {
        Value::EnumNumber(number) => *number,
        _ => 0,
    };
    let kind = extension.kind();
    let value = kind.as_enum().and_then(|kind| kind.get_value(number));
    value.map_or_else(|| number.to_string(), |value| value.name().to_owned())
}
