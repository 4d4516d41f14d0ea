//! The generated tables: look-ups, and what must hold of every row.

use mesh_proto::{
    Class, Route, Step, Wire,
    tables::{self, MESSAGES, RPCS},
};

#[test]
fn every_rpc_is_found_by_its_path_and_nothing_else_is() {
    for (index, rpc) in RPCS.iter().enumerate() {
        assert_eq!(usize::from(rpc.index), index);
        assert_eq!(rpc.path, format!("/{}/{}", rpc.service, rpc.method));
        assert!(std::ptr::eq(tables::rpc(rpc.path).unwrap(), rpc));
        if let Route::Refuse { why } = rpc.route {
            assert!(!why.is_empty(), "{}", rpc.path);
        }
    }
    for path in [
        "",
        "/",
        "tikvpb.Tikv/KvGet",
        "/tikvpb.Tikv/KvGetX",
        "/tikvpb.Tikv/",
        "/mesh.specimen.Specimen/Get",
    ] {
        assert!(tables::rpc(path).is_none(), "{path}");
    }
}

#[test]
fn a_field_is_found_by_its_number_small_or_large() {
    for message in MESSAGES {
        assert!(std::ptr::eq(
            tables::message(message.name).unwrap(),
            message
        ));
        for field in message.fields {
            assert!(
                std::ptr::eq(message.field(field.number).unwrap(), field),
                "{}.{}",
                message.name,
                field.name
            );
            assert!(std::ptr::eq(
                message.field_named(field.name).unwrap(),
                field
            ));
        }
        let known = |number| message.fields.iter().any(|field| field.number == number);
        for number in (0..300)
            .chain([1 << 28, u32::MAX])
            .filter(|number| !known(*number))
        {
            assert!(message.field(number).is_none());
        }
    }
}

#[test]
fn nothing_length_delimited_is_undecided() {
    for message in MESSAGES {
        for field in message
            .fields
            .iter()
            .filter(|field| field.wire == Wire::Len && field.child.is_none())
        {
            assert_ne!(
                field.class,
                Class::Undecided,
                "{}.{}",
                message.name,
                field.name
            );
        }
    }
}

#[test]
fn nothing_beneath_an_inert_message_is_edited() {
    for message in MESSAGES.iter().filter(|message| message.inert) {
        assert!(message.hook.is_none() && message.range.is_none());
        for field in message.fields {
            let quiet = matches!(
                field.step,
                Step::Copy | Step::Numbers | Step::Check | Step::Forbid
            );
            assert!(quiet, "{}.{}", message.name, field.name);
            if field.step == Step::Check {
                assert!(field.child.unwrap().inert);
            }
        }
    }
}

#[test]
fn the_specimen_has_no_service() {
    assert!(RPCS.iter().all(|rpc| !rpc.service.starts_with("mesh")));
}
