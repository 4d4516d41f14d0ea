//! What the walker refuses, a sentence each. Requests and answers are held to the same.

use crate::toy::{Toy, ToyError, Way, table, walk};
use mesh_proto::{
    Fault, Malformed, Unknown, Walker, Wire,
    wire::{put_bytes_field, put_tag, put_varint, put_varint_field},
};

fn fault(message: &str, bytes: &[u8]) -> Fault<ToyError> {
    let error = walk(table(message), bytes, &mut Toy::new(Way::Add)).expect_err("must be refused");
    let checked = Walker::new().validate(table(message), bytes, &mut |_, _| Unknown::Refuse);
    assert_eq!(
        checked.expect_err("validation is as strict").kind(),
        error.kind()
    );
    assert!(
        !error.to_string().contains("sesame"),
        "bytes never reach a text: {error}"
    );
    error.fault
}

fn get() -> Vec<u8> {
    let mut get = Vec::new();
    put_bytes_field(2, b"open sesame", &mut get);
    get
}

#[test]
fn an_unknown_field_of_any_wire_type_is_refused() {
    for (tag, value) in [
        (0, &[1_u8][..]),
        (1, &[0; 8]),
        (2, b"\x06sesame"),
        (5, &[0; 4]),
    ] {
        let mut bytes = get();
        put_varint((4000 << 3) | tag, &mut bytes);
        bytes.extend_from_slice(value);
        assert_eq!(fault("Get", &bytes), Fault::Unknown);
    }
}

#[test]
fn an_unknown_field_beneath_a_message_without_keys_is_refused_too() {
    let mut epoch = Vec::new();
    put_varint_field(77, 1, &mut epoch);
    let mut context = Vec::new();
    put_bytes_field(2, &epoch, &mut context);
    let mut bytes = get();
    put_bytes_field(1, &context, &mut bytes);
    assert_eq!(fault("Get", &bytes), Fault::Unknown);
}

#[test]
fn the_refusal_of_an_unknown_field_names_message_number_and_remedy() {
    let mut bytes = get();
    put_varint_field(4000, 1, &mut bytes);
    let error = walk(table("Get"), &bytes, &mut Toy::new(Way::Add)).unwrap_err();
    assert_eq!(
        (error.message, error.number, error.kind()),
        ("mesh.specimen.Get", 4000, "unknown_field")
    );
    let text = error.to_string();
    assert!(
        text.contains("mesh.specimen.Get.4000") && text.contains("upgrade"),
        "{text}"
    );
}

#[test]
fn a_repeated_singular_field_is_refused() {
    let mut bytes = get();
    bytes.extend(get());
    assert_eq!(fault("Get", &bytes), Fault::Repeated);
}

#[test]
fn a_repeated_singular_message_is_refused_instead_of_merged() {
    let mut bytes = get();
    put_bytes_field(1, &[], &mut bytes);
    put_bytes_field(1, &[], &mut bytes);
    assert_eq!(fault("Get", &bytes), Fault::Repeated);
}

#[test]
fn a_second_member_of_a_oneof_is_refused() {
    let mut command = Vec::new();
    put_bytes_field(4, b"sesame", &mut command);
    put_varint_field(255, 1, &mut command);
    assert_eq!(fault("Envelope.Command", &command), Fault::SecondMember);
}

#[test]
fn an_optional_field_is_no_oneof_of_its_own() {
    let mut context = Vec::new();
    put_varint_field(3, 1, &mut context);
    put_varint_field(6, 0, &mut context);
    assert_eq!(
        walk(table("Context"), &context, &mut Toy::new(Way::Add)).unwrap(),
        context
    );
    assert!(table("Context").field(6).unwrap().oneof.is_none());
}

#[test]
fn a_known_field_of_another_wire_type_is_refused() {
    let mut bytes = get();
    put_bytes_field(3, b"sesame", &mut bytes);
    assert_eq!(fault("Get", &bytes), Fault::WireType);
    let mut number = Vec::new();
    put_varint_field(2, 1, &mut number);
    assert_eq!(fault("Get", &number), Fault::WireType);
    let mut fixed = get();
    put_tag(3, Wire::Fixed64, &mut fixed);
    fixed.extend([0; 8]);
    assert_eq!(fault("Get", &fixed), Fault::WireType);
}

#[test]
fn an_end_of_a_range_of_another_wire_type_is_refused() {
    let mut scan = Vec::new();
    put_varint_field(2, 1, &mut scan);
    assert_eq!(fault("Scan", &scan), Fault::WireType);
}

#[test]
fn groups_are_refused_known_or_not() {
    assert_eq!(
        fault("Get", &[(3 << 3) | 3, (3 << 3) | 4]),
        Fault::Malformed(Malformed::Group)
    );
    assert_eq!(
        fault("Get", &[(9 << 3) | 3, (9 << 3) | 4]),
        Fault::Malformed(Malformed::Group)
    );
}

#[test]
fn undefined_wire_types_are_refused() {
    assert_eq!(
        fault("Get", &[(3 << 3) | 6]),
        Fault::Malformed(Malformed::WireType)
    );
    assert_eq!(
        fault("Get", &[(9 << 3) | 7]),
        Fault::Malformed(Malformed::WireType)
    );
}

#[test]
fn padded_tags_are_refused() {
    let padded_key = [&[0x92, 0x00, 0x06][..], b"sesame"].concat();
    assert_eq!(
        fault("Get", &padded_key),
        Fault::Malformed(Malformed::PaddedTag)
    );
    let longer = [&[0x92, 0x80, 0x00, 0x06][..], b"sesame"].concat();
    assert_eq!(
        fault("Get", &longer),
        Fault::Malformed(Malformed::PaddedTag)
    );
}

#[test]
fn padded_lengths_are_refused() {
    let padded = [&[0x12, 0x86, 0x00][..], b"sesame"].concat();
    assert_eq!(
        fault("Get", &padded),
        Fault::Malformed(Malformed::PaddedLength)
    );
}

#[test]
fn padded_values_pass_byte_for_byte() {
    let mut bytes = get();
    bytes.extend([3 << 3, 0x81, 0x80, 0x80, 0x00]);
    let out = walk(table("Get"), &bytes, &mut Toy::new(Way::Add)).unwrap();
    assert!(out.ends_with(&[3 << 3, 0x81, 0x80, 0x80, 0x00]));
}

#[test]
fn numbers_above_64_bits_are_refused() {
    let mut bytes = get();
    bytes.push(3 << 3);
    bytes.extend([0xff; 9]);
    let mut most = bytes.clone();
    most.push(0x01);
    assert!(walk(table("Get"), &most, &mut Toy::new(Way::Add)).is_ok());
    bytes.push(0x02);
    assert_eq!(
        fault("Get", &bytes),
        Fault::Malformed(Malformed::LongVarint)
    );
}

#[test]
fn every_truncation_of_a_message_is_refused_or_a_shorter_message() {
    let mut put = Vec::new();
    let mut mutation = Vec::new();
    put_bytes_field(2, b"open sesame", &mut mutation);
    put_bytes_field(2, &mutation, &mut put);
    for len in 1..put.len() {
        assert_eq!(
            fault("Put", &put[..len]),
            Fault::Malformed(Malformed::Truncated),
            "at {len}"
        );
    }
}

#[test]
fn a_length_beyond_the_enclosing_message_is_refused() {
    // The inner length reaches past the outer message, into bytes that do exist.
    let bytes = [0x12, 0x02, 0x12, 0x05, 0x1a, 0x01, 0x00, 0x00, 0x00];
    assert_eq!(fault("Put", &bytes), Fault::Malformed(Malformed::Truncated));
}

#[test]
fn field_numbers_out_of_bounds_are_refused() {
    assert_eq!(
        fault("Get", &[0x02, 0x00]),
        Fault::Malformed(Malformed::FieldNumber)
    );
    assert_eq!(
        fault("Get", &[0xff, 0xff, 0xff, 0xff, 0x7f, 0]),
        Fault::Malformed(Malformed::FieldNumber)
    );
    assert_eq!(
        fault("Get", &[0xf8, 0xff, 0xff, 0xff, 0x1f, 0]),
        Fault::Malformed(Malformed::FieldNumber)
    );
    // The largest legal number is merely unknown.
    assert_eq!(
        fault("Get", &[0xf8, 0xff, 0xff, 0xff, 0x0f, 0]),
        Fault::Unknown
    );
}

#[test]
fn nesting_has_a_limit() {
    let mut lock = Vec::new();
    for level in 0..100 {
        let mut outer = Vec::new();
        put_bytes_field(5, &lock, &mut outer);
        lock = outer;
        let walked = walk(table("Lock"), &lock, &mut Toy::new(Way::Add));
        if level < 64 {
            walked.unwrap();
        } else {
            assert_eq!(walked.unwrap_err().fault, Fault::TooDeep, "level {level}");
        }
    }
    let mut epoch = Vec::new();
    for _ in 0..200 {
        let mut outer = Vec::new();
        put_bytes_field(6, &epoch, &mut outer);
        epoch = outer;
    }
    assert_eq!(fault("Epoch", &epoch), Fault::TooDeep);
}

#[test]
fn a_forbidden_field_is_refused_with_the_reason() {
    let mut epoch = Vec::new();
    put_bytes_field(8, b"sesame", &mut epoch);
    let error = walk(table("Epoch"), &epoch, &mut Toy::new(Way::Strip)).unwrap_err();
    assert_eq!(error.kind(), "forbidden_field");
    let text = error.to_string();
    assert!(
        text.contains("mesh.specimen.Epoch.secret") && text.contains("no tenant may set"),
        "{text}"
    );
    assert!(text.contains("without it"), "{text}");
}

#[test]
fn an_absent_or_empty_required_key_is_refused() {
    assert_eq!(fault("Get", &[]), Fault::Missing);
    assert_eq!(fault("Get", &[0x12, 0x00]), Fault::Missing);
    let error = walk(table("Get"), &[], &mut Toy::new(Way::Add)).unwrap_err();
    assert_eq!((error.message, error.field), ("mesh.specimen.Get", "key"));
}

#[test]
fn a_malformed_packed_list_is_refused() {
    let mut envelope = Vec::new();
    put_bytes_field(2, &[0x80], &mut envelope);
    assert_eq!(
        fault("Envelope", &envelope),
        Fault::Malformed(Malformed::Truncated)
    );
    let mut epoch = Vec::new();
    put_bytes_field(7, &[1, 2, 3], &mut epoch);
    assert_eq!(
        fault("Epoch", &epoch),
        Fault::Malformed(Malformed::Truncated)
    );
    let mut answer = Vec::new();
    put_bytes_field(10, &[0xff; 11], &mut answer);
    assert_eq!(
        fault("Answer", &answer),
        Fault::Malformed(Malformed::LongVarint)
    );
}

#[test]
fn packed_and_plain_lists_are_both_legal() {
    let mut plain = Vec::new();
    put_varint_field(2, 300, &mut plain);
    put_varint_field(2, 301, &mut plain);
    let mut packed = plain.clone();
    put_bytes_field(2, &[0xac, 0x02, 0x07], &mut packed);
    for bytes in [plain, packed] {
        assert_eq!(
            walk(table("Envelope"), &bytes, &mut Toy::new(Way::Add)).unwrap(),
            bytes
        );
    }
}

#[test]
fn an_unknown_field_is_stripped_or_passed_by_the_key_maps_will() {
    let mut bytes = Vec::new();
    put_varint_field(4000, 1, &mut bytes);
    bytes.extend(get());
    put_bytes_field(4001, b"sesame", &mut bytes);
    let mut expected = Vec::new();
    put_bytes_field(2, b"popen sesame", &mut expected);

    let mut strip = Toy {
        unknown: Unknown::Strip,
        ..Toy::new(Way::Add)
    };
    assert_eq!(walk(table("Get"), &bytes, &mut strip).unwrap(), expected);
    assert_eq!(
        strip.unknown_seen,
        [("mesh.specimen.Get", 4000), ("mesh.specimen.Get", 4001)]
    );

    let mut pass = Toy {
        unknown: Unknown::Pass,
        ..Toy::new(Way::Add)
    };
    let passed = walk(table("Get"), &bytes, &mut pass).unwrap();
    assert_eq!(passed.len(), bytes.len() + 1);
    assert!(passed.ends_with(b"sesame"));
}

#[test]
fn stripping_beneath_a_message_without_keys_mends_every_length_above() {
    let mut epoch = Vec::new();
    put_varint_field(1, 7, &mut epoch);
    let mut padded = epoch.clone();
    put_bytes_field(99, &[b'x'; 200], &mut padded);
    let wrap = |epoch: &[u8]| {
        let mut context = Vec::new();
        put_bytes_field(2, epoch, &mut context);
        put_varint_field(3, 1, &mut context);
        let mut bytes = Vec::new();
        put_bytes_field(1, &context, &mut bytes);
        put_bytes_field(2, b"key", &mut bytes);
        bytes
    };
    let mut strip = Toy {
        unknown: Unknown::Strip,
        ..Toy::new(Way::Identity)
    };
    assert_eq!(
        walk(table("Get"), &wrap(&padded), &mut strip).unwrap(),
        wrap(&epoch)
    );
}
