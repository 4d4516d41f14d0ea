//! The build step itself: what stops the build, and that it says everything at once.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    missing_docs,
    dead_code
)]

#[path = "../build/decide.rs"]
mod decide;
#[path = "../build/emit.rs"]
mod emit;
#[path = "../build/model.rs"]
mod model;
#[path = "../build/options.rs"]
mod options;

use std::fs;

/// The faults of a schema that consists of this text.
fn faults(text: &str) -> Vec<String> {
    let dir = tempfile::tempdir().unwrap();
    let head = "syntax = \"proto3\"; package test; import \"mesh/options.proto\";";
    fs::write(dir.path().join("test.proto"), format!("{head}\n{text}")).unwrap();
    let schema = concat!(env!("CARGO_MANIFEST_DIR"), "/schema").as_ref();
    let mut compiler = protox::Compiler::new([dir.path(), schema]).unwrap();
    compiler
        .include_imports(true)
        .open_file("test.proto")
        .unwrap();
    model::Schema::read(&compiler.descriptor_pool())
        .err()
        .unwrap_or_default()
}

fn one(text: &str) -> String {
    let mut faults = faults(text);
    assert_eq!(faults.len(), 1, "{faults:?}");
    faults.pop().unwrap()
}

#[test]
fn bytes_and_strings_need_a_class() {
    let fault = one("message M { bytes key = 1; uint64 version = 2; }");
    assert_eq!(
        fault,
        "test.M.key: bytes without a class: say what it holds"
    );
    assert!(one("message M { repeated string names = 1; }").contains("test.M.names: string"));
}

#[test]
fn every_fault_is_named_at_once() {
    let faults =
        faults("message M { bytes a = 1; bytes b = 2; } service S { rpc Call(M) returns (M); }");
    assert_eq!(faults.len(), 3, "{faults:?}");
    assert!(faults[2].starts_with("/test.S/Call: no route"));
}

#[test]
fn map_entries_take_the_class_of_the_map() {
    let undecided = faults("message M { map<string, bytes> pairs = 1; }");
    assert!(
        undecided
            .iter()
            .any(|fault| fault.starts_with("test.M.PairsEntry.key")),
        "{undecided:?}"
    );
    assert!(
        undecided
            .iter()
            .any(|fault| fault.starts_with("test.M.PairsEntry.value")),
        "{undecided:?}"
    );
    let decided = "message M { map<string, bytes> pairs = 1 [(mesh.class) = OPAQUE, (mesh.why) = \"any\"]; map<uint64, M> more = 2; }";
    assert!(faults(decided).is_empty());
}

#[test]
fn ends_of_ranges_come_in_pairs() {
    let start = "bytes start = 1 [(mesh.class) = RAW_START];";
    assert!(one(&format!("message M {{ {start} }}")).contains("one pair"));
    let other = "bytes end = 2 [(mesh.class) = ENCODED_END];";
    assert!(one(&format!("message M {{ {start} {other} }}")).contains("one pair"));
    assert!(one("message M { bool r = 1 [(mesh.class) = REVERSE]; }").contains("REVERSE needs"));
    assert!(
        one("message M { bytes end = 2 [(mesh.class) = ETCD_RANGE_END]; }").contains("one pair")
    );
    assert!(faults("message M { bytes key = 2 [(mesh.class) = ETCD_KEY]; }").is_empty());
}

#[test]
fn a_message_owns_one_range() {
    let raw = "bytes a = 1 [(mesh.class) = RAW_START]; bytes b = 2 [(mesh.class) = RAW_END];";
    let encoded =
        "bytes c = 3 [(mesh.class) = ENCODED_START]; bytes d = 4 [(mesh.class) = ENCODED_END];";
    assert!(one(&format!("message M {{ {raw} {encoded} }}")).contains("more than one range"));
}

#[test]
fn a_refusal_and_an_opaque_or_forbidden_field_need_a_reason() {
    let fault =
        one("message M {} service S { rpc Call(M) returns (M) { option (mesh.route) = REFUSE; } }");
    assert!(fault.contains("REFUSE without"), "{fault}");
    assert!(
        one("message M { bytes x = 1 [(mesh.class) = FORBIDDEN]; }")
            .contains("FORBIDDEN without why")
    );
    assert!(
        one("message M { bytes x = 1 [(mesh.class) = OPAQUE]; }").contains("OPAQUE without why")
    );
}

#[test]
fn a_reason_of_a_refusal_needs_the_refusal() {
    let route = "option (mesh.route) = FORWARD; option (mesh.refuse_why) = \"left behind\";";
    let fault = one(&format!(
        "message M {{}} service S {{ rpc Call(M) returns (M) {{ {route} }} }}"
    ));
    assert!(fault.contains("not refused"), "{fault}");
}

#[test]
fn nested_bytes_name_a_message_that_exists() {
    let fault =
        one("message M { bytes x = 1 [(mesh.class) = NESTED, (mesh.nested) = \"test.N\"]; }");
    assert!(fault.contains("test.N is not in the schema"), "{fault}");
    assert!(one("message M { bytes x = 1 [(mesh.class) = NESTED]; }").contains("does not fit"));
    assert!(
        faults("message M { bytes x = 1 [(mesh.class) = NESTED, (mesh.nested) = \"test.M\"]; }")
            .is_empty()
    );
}

#[test]
fn a_class_fits_its_type() {
    for field in [
        "uint64 x = 1 [(mesh.class) = RAW_KEY]",
        "bytes x = 1 [(mesh.class) = TABLE_ID]",
        "bytes x = 1 [(mesh.class) = BUCKET_KEYS]",
        "M x = 1 [(mesh.class) = RAW_KEY]",
        "repeated uint64 x = 1 [(mesh.class) = KEY_HASH]",
        "sint64 x = 1 [(mesh.class) = TABLE_ID]",
        "fixed64 x = 1 [(mesh.class) = LEASE_ID]",
    ] {
        let faults = faults(&format!("message M {{ {field}; }}"));
        assert!(
            faults.iter().any(|fault| fault.contains("does not fit")),
            "{field}: {faults:?}"
        );
    }
}

#[test]
fn a_hash_has_one_key_or_a_hook() {
    let hash = "uint64 hash = 1 [(mesh.class) = KEY_HASH];";
    assert!(one(&format!("message M {{ {hash} }}")).contains("needs a hook"));
    let hooked = format!("message M {{ option (mesh.hook) = \"any\"; {hash} }}");
    assert!(faults(&hooked).is_empty());
}

#[test]
fn positional_is_for_lists_and_required_for_keys() {
    assert!(one("message M { M x = 1 [(mesh.positional) = true]; }").contains("positional"));
    let text = "bytes x = 1 [(mesh.class) = TEXT, (mesh.required) = true];";
    assert!(one(&format!("message M {{ {text} }}")).contains("required"));
}

#[test]
fn names_of_classes_and_hooks_become_rusts() {
    for (name, camel) in [
        ("RAW_KEY", "RawKey"),
        ("cop_request", "CopRequest"),
        ("key-hash", "KeyHash"),
        ("X", "X"),
    ] {
        assert_eq!(options::camel(name), camel);
    }
}
