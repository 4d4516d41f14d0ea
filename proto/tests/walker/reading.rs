//! Reading and writing single fields.

use mesh_proto::{
    Malformed, Value, fields,
    wire::{
        Framed, packed_varints, put_bytes_field, put_tag, put_varint, put_varint_field, varint_len,
    },
};
use proptest::prelude::*;

#[test]
fn fields_come_with_value_and_raw_bytes() {
    let mut bytes = Vec::new();
    put_varint_field(1, 300, &mut bytes);
    put_bytes_field(2, b"two", &mut bytes);
    put_tag(3, mesh_proto::Wire::Fixed32, &mut bytes);
    bytes.extend(7_u32.to_le_bytes());
    put_tag(4, mesh_proto::Wire::Fixed64, &mut bytes);
    bytes.extend(8_u64.to_le_bytes());
    let read: Vec<_> = fields(&bytes).map(Result::unwrap).collect();
    let values: Vec<_> = read
        .iter()
        .map(|field| (field.number, field.value))
        .collect();
    let expected = [
        (1, Value::Varint(300)),
        (2, Value::Len(b"two")),
        (3, Value::Fixed32(7)),
        (4, Value::Fixed64(8)),
    ];
    assert_eq!(values, expected);
    assert_eq!(
        read.iter()
            .map(|field| field.raw)
            .collect::<Vec<_>>()
            .concat(),
        bytes
    );
    assert!(
        read.iter()
            .all(|field| bytes[field.start..].starts_with(field.raw))
    );
}

#[test]
fn reading_ends_after_the_first_fault() {
    let read: Vec<_> = fields(&[0x08, 0x01, 0x12, 0x09, 0x00]).collect();
    assert_eq!(read.len(), 2);
    assert_eq!(read[1], Err(Malformed::Truncated));
    assert_eq!(
        packed_varints(&[1, 0x80]).collect::<Vec<_>>(),
        [Ok(1), Err(Malformed::Truncated)]
    );
}

proptest! {
    #[test]
    fn a_varint_is_read_as_it_was_written(number: u64, shift in 0..64_u32) {
        let number = number >> shift;
        let mut bytes = Vec::new();
        put_varint(number, &mut bytes);
        prop_assert_eq!(bytes.len(), varint_len(number));
        prop_assert_eq!(packed_varints(&bytes).collect::<Vec<_>>(), vec![Ok(number)]);
    }

    #[test]
    fn a_tag_is_read_as_it_was_written(number in 1..=0x1fff_ffff_u32, shift in 0..29_u32) {
        let number = (number >> shift).max(1);
        let mut bytes = Vec::new();
        put_varint_field(number, 5, &mut bytes);
        let field = fields(&bytes).next().unwrap().unwrap();
        prop_assert_eq!((field.number, field.varint()), (number, Some(5)));
    }

    #[test]
    fn a_framed_field_has_the_right_length_whatever_the_guess(guess in 0..40_000_usize, len in 0..40_000_usize) {
        let mut bytes = b"before".to_vec();
        let framed = Framed::open(3, guess, &mut bytes);
        bytes.resize(bytes.len() + len, 7);
        framed.close(&mut bytes);
        let mut expected = b"before".to_vec();
        put_bytes_field(3, &vec![7; len], &mut expected);
        prop_assert_eq!(bytes, expected);
    }

    #[test]
    fn reading_never_panics(bytes: Vec<u8>) {
        let read: Vec<_> = fields(&bytes).collect();
        prop_assert!(read.iter().rev().skip(1).all(Result::is_ok));
    }
}
