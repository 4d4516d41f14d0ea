//! Golden bytes. The layouts are on-disk formats: a change here is data loss for whoever has data.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    missing_docs
)]

#[path = "vectors/bounds.rs"]
mod bounds;
#[path = "vectors/regions.rs"]
mod regions;

use mesh_keyspace::{
    Bound, Form, KeyError, Keyspace, LogicalKey, Mode, Parts, PhysicalKey, Position, TableId,
    TenantId, Visibility, laws, memcomparable,
};

const RAW: Form = Form::Raw;
const ENCODED: Form = Form::Encoded;

fn unhex(text: &str) -> Vec<u8> {
    let digits: Vec<u8> = text.bytes().filter(|digit| *digit != b' ').collect();
    digits
        .chunks(2)
        .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap())
        .collect()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn e(raw: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    memcomparable::encode(raw, &mut out);
    out
}

fn keyspace(mode: Mode, id: u32) -> Keyspace {
    Keyspace::new(mode, TenantId::new(mode, id).unwrap()).unwrap()
}

fn table(id: u32) -> Keyspace {
    keyspace(Mode::Table, id)
}

fn encode(keyspace: &Keyspace, form: Form, key: &[u8]) -> Result<String, KeyError> {
    let mut out = Vec::new();
    keyspace
        .encode_key(form, LogicalKey(key), &mut out)
        .map(|()| hex(&out))
}

fn decode(keyspace: &Keyspace, form: Form, key: &[u8]) -> Result<String, KeyError> {
    let mut out = Vec::new();
    keyspace
        .decode_key(form, PhysicalKey(key), &mut out)
        .map(|()| hex(&out))
}

fn ranges(keyspace: &Keyspace) -> Vec<String> {
    keyspace
        .ranges()
        .iter()
        .map(|range| format!("{:x} {:x}", range.start, range.end))
        .collect()
}

/// Row 1 of table 5.
const ROW: &str = "7480000000000000055f728000000000000001";
const ROW_E: &str = "7480000000000000ff055f728000000000ff0000010000000000fa";

#[test]
fn memcomparable_vectors() {
    for (raw, encoded) in [
        ("", "0000000000000000f7"),
        ("74", "7400000000000000f8"),
        ("0102030405060708", "0102030405060708ff0000000000000000f7"),
        (ROW, ROW_E),
        (
            "780000077480000000000000055f728000000000000001",
            "7800000774800000ff00000000055f7280ff0000000000000100fe",
        ),
        ("78000007", "7800000700000000fb"),
        ("78000008", "7800000800000000fb"),
        (
            "7480030000000000055f728000000000000001",
            "7480030000000000ff055f728000000000ff0000010000000000fa",
        ),
    ] {
        assert_eq!(hex(&e(&unhex(raw))), encoded);
        let mut back = Vec::new();
        memcomparable::decode_exact(&unhex(encoded), &mut back).unwrap();
        assert_eq!(hex(&back), raw);
    }
}

#[test]
fn memcomparable_refusals() {
    use memcomparable::Malformed::{Marker, Padding, Trailing, Truncated};
    for (encoded, reason) in [
        ("", Truncated),
        ("00000000000000f7", Truncated),
        ("0102030405060708ff", Truncated),
        ("0000000000000000f6", Marker),
        ("000000000000000000", Marker),
        ("0000000000000001f7", Padding),
        ("7400000001000000f8", Padding),
        ("7400000000000000f800", Trailing),
    ] {
        let mut out = Vec::new();
        assert_eq!(
            memcomparable::decode_exact(&unhex(encoded), &mut out),
            Err(reason),
            "{encoded}"
        );
        assert!(out.is_empty());
    }
    let mut out = Vec::new();
    let engine_key = [e(b"t").as_slice(), &[9; 8]].concat();
    assert_eq!(
        memcomparable::decode_versioned(&engine_key, &mut out),
        Ok(Some([9; 8]))
    );
    assert_eq!(
        memcomparable::decode_versioned(&engine_key[..16], &mut out),
        Err(Trailing)
    );
}

#[test]
fn table_rows_are_patched_in_place() {
    let row = unhex(ROW);
    for (id, raw, encoded) in [
        (
            3,
            "7480030000000000055f728000000000000001",
            "7480030000000000ff055f728000000000ff0000010000000000fa",
        ),
        (
            0xFF,
            "7480ff0000000000055f728000000000000001",
            "7480ff0000000000ff055f728000000000ff0000010000000000fa",
        ),
        (
            0x100,
            "7481000000000000055f728000000000000001",
            "7481000000000000ff055f728000000000ff0000010000000000fa",
        ),
        (
            0x7FFF,
            "74ffff0000000000055f728000000000000001",
            "74ffff0000000000ff055f728000000000ff0000010000000000fa",
        ),
    ] {
        let tenant = table(id);
        assert_eq!(encode(&tenant, RAW, &row).unwrap(), raw);
        assert_eq!(encode(&tenant, ENCODED, &unhex(ROW_E)).unwrap(), encoded);
        assert_eq!(decode(&tenant, RAW, &unhex(raw)).unwrap(), ROW);
        assert_eq!(decode(&tenant, ENCODED, &unhex(encoded)).unwrap(), ROW_E);
    }
}

#[test]
fn table_meta_keys_get_a_tag() {
    let tenant = table(0x0102);
    assert_eq!(encode(&tenant, RAW, b"mDBs").unwrap(), "6d010102444273");
    assert_eq!(
        encode(&tenant, ENCODED, &e(b"mDBs")).unwrap(),
        "6d01010244427300fe"
    );
    assert_eq!(
        encode(&tenant, RAW, b"mBootstrapKey").unwrap(),
        hex(b"m\x01\x01\x02BootstrapKey")
    );
    assert_eq!(
        decode(&tenant, ENCODED, &unhex("6d01010244427300fe")).unwrap(),
        hex(&e(b"mDBs"))
    );
}

#[test]
fn keyspace_and_prefix_keys() {
    let row = unhex(ROW);
    assert_eq!(
        encode(&keyspace(Mode::Keyspace, 7), RAW, &row).unwrap(),
        "780000077480000000000000055f728000000000000001"
    );
    assert_eq!(
        encode(&keyspace(Mode::Keyspace, 7), ENCODED, &unhex(ROW_E)).unwrap(),
        "7800000774800000ff00000000055f7280ff0000000000000100fe"
    );
    let raw = Keyspace::new_raw(TenantId::new(Mode::Keyspace, 7).unwrap()).unwrap();
    assert_eq!(encode(&raw, RAW, b"k").unwrap(), "720000076b");
    assert_eq!(
        decode(&raw, RAW, &unhex("780000076b")),
        Err(KeyError::Foreign)
    );
    assert_eq!(
        encode(&keyspace(Mode::Prefix, 7), RAW, b"k").unwrap(),
        "026d6573680000076b"
    );
    assert_eq!(
        encode(&keyspace(Mode::Prefix, 7), ENCODED, &unhex(ROW_E)).unwrap(),
        format!("026d657368000007ff{ROW_E}")
    );
}

#[test]
fn ranges_at_an_ordinary_id_a_carry_and_the_last_id() {
    assert_eq!(ranges(&table(3)), ["6d010003 6d010004", "748003 748004"]);
    assert_eq!(ranges(&table(0xFF)), ["6d0100ff 6d010100", "7480ff 748100"]);
    assert_eq!(ranges(&table(0x7FFF)), ["6d017fff 6d018000", "74ffff 75"]);
    assert_eq!(ranges(&keyspace(Mode::Keyspace, 7)), ["78000007 78000008"]);
    assert_eq!(
        ranges(&keyspace(Mode::Keyspace, 0xFF)),
        ["780000ff 78000100"]
    );
    assert_eq!(
        ranges(&keyspace(Mode::Keyspace, 0xFFFF)),
        ["7800ffff 78010000"]
    );
    assert_eq!(
        ranges(&keyspace(Mode::Keyspace, 0xFF_FFFF)),
        ["78ffffff 79000000"]
    );
    let raw = Keyspace::new_raw(TenantId::new(Mode::Keyspace, 0xFF_FFFF).unwrap()).unwrap();
    assert_eq!(ranges(&raw), ["72ffffff 73000000"]);
    assert_eq!(
        ranges(&keyspace(Mode::Prefix, 7)),
        ["026d657368000007 026d657368000008"]
    );
    assert_eq!(
        ranges(&keyspace(Mode::Prefix, 0xFFFF)),
        ["026d65736800ffff 026d657368010000"]
    );
    assert_eq!(
        ranges(&keyspace(Mode::Prefix, 0xFF_FFFF)),
        ["026d657368ffffff 026d657369000000"]
    );
}

#[test]
fn ids_are_checked() {
    for (mode, id) in [
        (Mode::Table, 0),
        (Mode::Table, 0x8000),
        (Mode::Keyspace, 0),
        (Mode::Keyspace, 0x100_0000),
        (Mode::Prefix, 0x100_0000),
    ] {
        assert!(TenantId::new(mode, id).is_err(), "{mode} {id}");
    }
    let wide = TenantId::new(Mode::Prefix, 0x8000).unwrap();
    assert!(Keyspace::new(Mode::Table, wide).is_err());
    assert_eq!("keyspace".parse(), Ok(Mode::Keyspace));
    assert!("Table".parse::<Mode>().is_err());
    assert_eq!(serde_json::to_string(&Mode::Prefix).unwrap(), "\"prefix\"");
}

#[test]
fn keys_that_tidb_never_writes_are_refused() {
    let tenant = table(3);
    for key in [
        "6d",
        "6d00",
        "6d01000341",
        "6d80",
        "6e",
        "74",
        "7480",
        "748000000000000005"[..16].as_ref(),
        "7480010000000000",
        "748001000000000005",
        "740000000000000005",
        "74ffff000000000005",
        "75",
        "7800000741",
        "00",
    ] {
        let key = unhex(key);
        let refused = |form, wire: &[u8]| {
            assert!(
                matches!(encode(&tenant, form, wire), Err(KeyError::NotAKey { .. })),
                "{}",
                hex(wire)
            );
        };
        refused(RAW, &key);
        refused(ENCODED, &e(&key));
    }
    for mode in Mode::ALL {
        assert_eq!(encode(&keyspace(mode, 3), RAW, b""), Err(KeyError::Empty));
        assert_eq!(
            encode(&keyspace(mode, 3), ENCODED, &e(b"")),
            Err(KeyError::Empty)
        );
    }
}

#[test]
fn errors_hold_no_key_bytes() {
    let shown = format!(
        "{}",
        table(3)
            .encode_key(RAW, LogicalKey(b"qSECRET"), &mut vec![])
            .unwrap_err()
    );
    assert_eq!(shown, "not a TiDB key: other key of 7 bytes");
    assert_eq!(
        format!("{:?}", PhysicalKey(b"tSECRET")),
        "PhysicalKey(t key of 7 bytes)"
    );
    let malformed = table(3)
        .encode_key(ENCODED, LogicalKey(b"tSECRET"), &mut vec![])
        .unwrap_err();
    assert_eq!(
        malformed.to_string(),
        "malformed encoded key (cut short): t key of 7 bytes"
    );
}

#[test]
fn table_ids() {
    let tenant = table(3);
    assert_eq!(tenant.encode_table_id(5), Ok(0x0003_0000_0000_0005));
    assert_eq!(
        tenant.decode_table_id(0x0003_0000_0000_0005),
        Ok(TableId::Tagged(5))
    );
    assert_eq!(tenant.decode_table_id(5), Ok(TableId::Untagged(5)));
    assert_eq!(
        tenant.decode_table_id(0x0004_0000_0000_0005),
        Err(KeyError::Foreign)
    );
    assert_eq!(tenant.decode_table_id(-1), Err(KeyError::Foreign));
    assert_eq!(
        tenant.encode_table_id(1 << 48),
        Err(KeyError::TableIdOutOfRange)
    );
    assert_eq!(tenant.encode_table_id(-1), Err(KeyError::TableIdOutOfRange));
    assert_eq!(table(0x7FFF).encode_table_id(5), Ok(0x7FFF_0000_0000_0005));
    assert_eq!(keyspace(Mode::Keyspace, 3).encode_table_id(-1), Ok(-1));
}

/// The ruler is what every law leans on: in order, and with keys and bounds of all shapes.
#[test]
fn the_ruler_is_ordered_and_mixed() {
    let fences = laws::logical_ruler();
    assert!(fences.is_sorted_by(|a, b| a < b));
    let keys = fences
        .iter()
        .filter(|key| laws::is_point_key(Mode::Table, key))
        .count();
    assert!(keys > 15 && fences.len() - keys > 15);
    assert!(laws::physical_ruler(&table(3)).is_sorted_by(|a, b| a < b));
}
