//! The codec's laws as functions, in one place for property tests and fuzz targets.
//!
//! Each law takes a [`Case`] (a tenant, another tenant, a form and some byte strings) and says
//! [`Broken`] when it does not hold. Byte strings come from a ruler of fence keys with random
//! tails, because the faults worth finding sit at bounds. Expectations are stated in terms of byte
//! order and of a model of the key shapes that is written apart from the codec's own.

mod bounds;
mod encoding;
mod points;
mod regions;
mod ruler;
mod table_ids;

pub use bounds::{bounds_keep_order, locate_finds_bounds, lower_bound_is_least, ranges_select};
pub use encoding::{encoding_is_unique, encoding_keeps_order, encoding_round_trips};
pub use points::{
    decoding_is_strict, keys_keep_order, keys_round_trip, plain_keys_are_foreign,
    tenants_are_disjoint,
};
pub use regions::{buckets_follow_regions, contained_regions_are_private, regions_tile};
pub use ruler::{is_point_key, logical_ruler, physical_ruler};
pub use table_ids::table_ids_match_keys;

use crate::{Form, Keyspace, Mode, TenantId, memcomparable};

/// A law that did not hold.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{law}: {detail}")]
pub struct Broken {
    /// What should have been so.
    pub law: &'static str,
    /// The bytes it failed for, in hexadecimal.
    pub detail: String,
}

/// Outcome of a law.
pub type Verdict = Result<(), Broken>;

/// A law, by its name.
pub type Law = (&'static str, fn(&Case) -> Verdict);

/// Every law.
pub const ALL: [Law; 17] = [
    ("keys_round_trip", keys_round_trip),
    ("keys_keep_order", keys_keep_order),
    ("decoding_is_strict", decoding_is_strict),
    ("tenants_are_disjoint", tenants_are_disjoint),
    ("plain_keys_are_foreign", plain_keys_are_foreign),
    ("bounds_keep_order", bounds_keep_order),
    ("ranges_select", ranges_select),
    ("locate_finds_bounds", locate_finds_bounds),
    ("lower_bound_is_least", lower_bound_is_least),
    ("regions_tile", regions_tile),
    (
        "contained_regions_are_private",
        contained_regions_are_private,
    ),
    ("buckets_follow_regions", buckets_follow_regions),
    ("table_ids_match_keys", table_ids_match_keys),
    ("encoding_round_trips", encoding_round_trips),
    ("encoding_keeps_order", encoding_keeps_order),
    ("encoding_is_unique", encoding_is_unique),
    ("nothing_panics", nothing_panics),
];

/// What a law is tried on.
#[derive(Clone, Debug)]
pub struct Case {
    /// The tenant.
    pub keyspace: Keyspace,
    /// Another one, of the same mode or not.
    pub other: Keyspace,
    /// Form of the keys on the wire.
    pub form: Form,
    /// Logical byte strings, raw, of any shape.
    pub logical: Vec<Vec<u8>>,
    /// Physical byte strings, raw, of any shape.
    pub physical: Vec<Vec<u8>>,
    /// Bytes without meaning.
    pub noise: Vec<u8>,
}

/// Plain numbers and bytes from which a [`Case`] is made; what generators fill in.
#[derive(Clone, Debug, Default)]
pub struct Seed {
    /// Chooses the tenant.
    pub tenant: (u8, u32),
    /// Chooses the other tenant.
    pub other: (u8, u32),
    /// Whether keys are encoded.
    pub encoded: bool,
    /// Fence to start from and bytes to put after it, for each byte string.
    pub words: Vec<(u16, Vec<u8>)>,
    /// Bytes without meaning.
    pub noise: Vec<u8>,
}

impl Case {
    /// Makes a case; `None` when both choices name one tenant.
    pub fn new(seed: Seed) -> Option<Self> {
        let keyspace = tenant(seed.tenant)?;
        let other = tenant(seed.other)?;
        if keyspace == other {
            return None;
        }
        let logical_fences = logical_ruler();
        let physical_fences = physical_ruler(&keyspace);
        let on = |fences: &[Vec<u8>]| -> Vec<Vec<u8>> {
            seed.words
                .iter()
                .filter_map(|(fence, tail)| extend(fences, *fence, tail))
                .collect()
        };
        Some(Case {
            logical: on(&logical_fences),
            physical: on(&physical_fences),
            keyspace,
            other,
            form: if seed.encoded {
                Form::Encoded
            } else {
                Form::Raw
            },
            noise: seed.noise,
        })
    }

    /// Pairs of neighbouring logical byte strings.
    fn logical_pairs(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        self.logical
            .iter()
            .zip(self.logical.iter().skip(1))
            .map(|(a, b)| (a.as_ref(), b.as_ref()))
    }

    /// Raw bytes in the case's form.
    fn wire(&self, raw: &[u8]) -> Vec<u8> {
        in_form(self.form, raw)
    }

    /// A bound in the case's form: absent stays absent.
    fn wire_bound(&self, raw: &[u8]) -> Vec<u8> {
        if raw.is_empty() {
            Vec::new()
        } else {
            self.wire(raw)
        }
    }

    /// The tenant's ranges in the case's form.
    fn wire_ranges(&self, keyspace: &Keyspace) -> Vec<(Vec<u8>, Vec<u8>)> {
        keyspace
            .ranges()
            .iter()
            .map(|r| (self.wire(&r.start), self.wire(&r.end)))
            .collect()
    }
}

/// No input makes the codec panic, encoded or not.
///
/// # Errors
/// [`Broken`].
pub fn nothing_panics(case: &Case) -> Verdict {
    let (keyspace, noise) = (&case.keyspace, case.noise.as_slice());
    let half = noise.get(noise.len() / 2..).unwrap_or_default();
    for form in [Form::Raw, Form::Encoded] {
        let (mut one, mut two) = (Vec::new(), Vec::new());
        let refused = keyspace
            .encode_key(form, crate::LogicalKey(noise), &mut one)
            .is_err();
        ensure(
            !refused || one.is_empty(),
            "a refused key leaves no output",
            || hex(noise),
        )?;
        let _ = keyspace.decode_key(form, crate::PhysicalKey(noise), &mut one);
        let _ = keyspace.locate(form, noise, &mut one);
        let _ = keyspace.locate_end(form, noise, &mut one);
        let _ = keyspace.lower_bound(form, crate::PhysicalKey(noise), &mut one);
        let _ = keyspace.encode_range_into(form, false, noise, half, &mut one, &mut two);
        let _ = keyspace.clip_region(form, noise, half, &mut one, &mut two);
        let _ = keyspace.clip_buckets_in(form, noise.chunks(7), &mut Vec::new());
    }
    Ok(())
}

/// A tenant of any mode; small numbers choose the ids at which layouts go wrong.
fn tenant((kind, number): (u8, u32)) -> Option<Keyspace> {
    let mode = match kind % 4 {
        0 | 3 => Mode::Table,
        1 => Mode::Keyspace,
        _ => Mode::Prefix,
    };
    let last = TenantId::last(mode);
    let id = match number {
        0..=3 => last - number,
        4..=6 => 0xFF + (number - 4),
        7..=9 => (0xFFFF + (number - 7)).min(last),
        _ => (number - 10) % last + 1,
    };
    let id = TenantId::new(mode, id).ok()?;
    if mode == Mode::Keyspace && kind >= 128 {
        return Keyspace::new_raw(id).ok();
    }
    Keyspace::new(mode, id).ok()
}

fn extend(fences: &[Vec<u8>], fence: u16, tail: &[u8]) -> Option<Vec<u8>> {
    let fence = fences.get(usize::from(fence) % fences.len().max(1))?;
    Some([fence.as_slice(), tail].concat())
}

fn in_form(form: Form, raw: &[u8]) -> Vec<u8> {
    match form {
        Form::Raw => raw.to_vec(),
        Form::Encoded => {
            let mut encoded = Vec::new();
            memcomparable::encode(raw, &mut encoded);
            encoded
        }
    }
}

fn ensure(holds: bool, law: &'static str, detail: impl FnOnce() -> String) -> Verdict {
    if holds {
        Ok(())
    } else {
        Err(Broken {
            law,
            detail: detail(),
        })
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn hex_all<B: AsRef<[u8]>>(all: impl IntoIterator<Item = B>) -> String {
    all.into_iter()
        .map(|bytes| hex(bytes.as_ref()))
        .collect::<Vec<_>>()
        .join(" ")
}
