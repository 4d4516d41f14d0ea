//! A key map with the simplest possible tenants, and valid messages for any table.
#![allow(
    dead_code,
    unreachable_pub,
    reason = "every test binary uses its own part"
)]

pub mod generate;

use mesh_proto::{
    At, Bounds, Edit, Form, Hook, KeyList, KeyMap, Message, Nested, Range, Unhandled, Unknown,
    Verdict, WalkError, tables,
};

/// What a tenant's keys, names and addresses begin with; `END` is the end of its space.
pub const TENANT: u8 = b'p';
pub const END: u8 = b'q';
pub const ID_OFFSET: i64 = 1 << 48;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// Puts the tenant's byte in front.
    Add,
    /// Takes it away; anything without it is foreign.
    Strip,
    /// Changes nothing, the slow way: everything is written again.
    Identity,
}

#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum ToyError {
    #[error(transparent)]
    Unhandled(#[from] Unhandled),
    #[error("an end of the range is foreign")]
    HalfForeign,
}

pub struct Toy {
    pub way: Way,
    pub unknown: Unknown,
    pub unknown_seen: Vec<(&'static str, u32)>,
    pub regions: Vec<u64>,
}

impl Toy {
    pub fn new(way: Way) -> Self {
        Self {
            way,
            unknown: Unknown::Refuse,
            unknown_seen: Vec::new(),
            regions: Vec::new(),
        }
    }

    fn value(&self, value: &[u8], out: &mut Vec<u8>) -> Verdict {
        match (self.way, value) {
            (Way::Add, value) => {
                out.push(TENANT);
                out.extend_from_slice(value);
                Verdict::Keep
            }
            (Way::Strip, [TENANT, rest @ ..]) => {
                out.extend_from_slice(rest);
                Verdict::Keep
            }
            (Way::Strip, _) => {
                out.extend_from_slice(b"half-written");
                Verdict::Drop
            }
            (Way::Identity, value) => {
                out.extend_from_slice(value);
                Verdict::Keep
            }
        }
    }
}

impl KeyMap for Toy {
    type Error = ToyError;

    fn key(&mut self, _: At, _: Form, key: &[u8], out: &mut Vec<u8>) -> Result<Verdict, ToyError> {
        assert!(!key.is_empty(), "an empty key is no key");
        Ok(self.value(key, out))
    }

    fn range(&mut self, _: At, range: Range<'_>, out: &mut Bounds) -> Result<Verdict, ToyError> {
        assert!(out.start.is_empty() && out.end.is_empty());
        let (lower, upper) = if range.reverse {
            (range.end, range.start)
        } else {
            (range.start, range.end)
        };
        let (mut new_lower, mut new_upper) = (Vec::new(), Vec::new());
        let single = range.form == Form::Etcd && range.end.is_empty();
        match self.way {
            Way::Identity => {
                new_lower.extend_from_slice(lower);
                new_upper.extend_from_slice(upper);
            }
            Way::Add => {
                let _ = self.value(lower, &mut new_lower);
                match upper {
                    [] if single => {}
                    [] => new_upper.push(END),
                    upper => drop(self.value(upper, &mut new_upper)),
                }
            }
            Way::Strip => {
                match lower {
                    [TENANT, rest @ ..] => new_lower.extend_from_slice(rest),
                    _ => return Ok(Verdict::Drop),
                }
                match upper {
                    [] if single => {}
                    [END] => {}
                    [TENANT, rest @ ..] => new_upper.extend_from_slice(rest),
                    _ => return Err(ToyError::HalfForeign),
                }
            }
        }
        (out.start, out.end) = if range.reverse {
            (new_upper, new_lower)
        } else {
            (new_lower, new_upper)
        };
        Ok(Verdict::Keep)
    }

    fn unknown(&mut self, message: &'static Message, number: u32) -> Unknown {
        self.unknown_seen.push((message.name, number));
        self.unknown
    }

    fn buckets(&mut self, _: At, keys: &[&[u8]], out: &mut KeyList) -> Result<Verdict, ToyError> {
        for key in keys {
            let mut new = Vec::new();
            if self.value(key, &mut new) == Verdict::Keep {
                out.push(&new);
            }
        }
        Ok(Verdict::Keep)
    }

    fn text(&mut self, _: At, text: &[u8], out: &mut Vec<u8>) -> Result<Verdict, ToyError> {
        Ok(self.value(text, out))
    }

    fn address(&mut self, _: At, address: &[u8], out: &mut Vec<u8>) -> Result<Verdict, ToyError> {
        Ok(self.value(address, out))
    }

    fn scoped_name(&mut self, _: At, name: &[u8], out: &mut Vec<u8>) -> Result<Verdict, ToyError> {
        Ok(self.value(name, out))
    }

    fn table_id(&mut self, _: At, id: i64) -> Result<i64, ToyError> {
        Ok(match self.way {
            Way::Add => id.wrapping_add(ID_OFFSET),
            Way::Strip => id.wrapping_sub(ID_OFFSET),
            Way::Identity => id,
        })
    }

    fn lease_id(&mut self, _: At, id: i64) -> Result<i64, ToyError> {
        Ok(if self.way == Way::Identity { id } else { !id })
    }

    fn region_id(&mut self, _: At, id: u64) -> Result<Verdict, ToyError> {
        self.regions.push(id);
        Ok(if self.way == Way::Strip && id == FOREIGN_REGION {
            Verdict::Drop
        } else {
            Verdict::Keep
        })
    }

    fn key_hash(&mut self, _: At, _: Option<&[u8]>, hash: u64) -> Result<u64, ToyError> {
        Ok(match self.way {
            Way::Add => hash.wrapping_add(1),
            Way::Strip => hash.wrapping_sub(1),
            Way::Identity => hash,
        })
    }

    fn hook(
        &mut self,
        _: Hook,
        body: &[u8],
        nested: &mut Nested<'_>,
        out: &mut Vec<u8>,
    ) -> Result<Verdict, WalkError<ToyError>> {
        if nested.message().name != CHOICE {
            return nested.rewrite(body, self, out);
        }
        let kind = mesh_proto::fields(body)
            .flatten()
            .find(|field| field.number == 1);
        let put = tables::message("mesh.specimen.Put").unwrap();
        match kind.and_then(|field| field.varint()) {
            Some(KIND_PUT) => nested.rewrite_with(body, &[(2, Edit::As(put))], self, out),
            _ => nested.rewrite(body, self, out),
        }
    }
}

pub const FOREIGN_REGION: u64 = 666;
/// The kind of a choice whose data is a `Put`; no random number hits it.
pub const KIND_PUT: u64 = 0xfeed_0000_0000_0001;
pub const CHOICE: &str = "mesh.specimen.Choice";

pub fn table(name: &str) -> &'static Message {
    tables::message(&format!("mesh.specimen.{name}")).expect("the specimen has this message")
}

/// The whole output of one walk.
pub fn walk(
    table: &'static Message,
    bytes: &[u8],
    map: &mut Toy,
) -> Result<Vec<u8>, WalkError<ToyError>> {
    let mut out = b"before".to_vec();
    let result = mesh_proto::rewrite(table, bytes, map, &mut out);
    assert_eq!(&out[..6], b"before", "output is appended to");
    match result {
        Ok(_) => Ok(out.split_off(6)),
        Err(error) => {
            assert_eq!(out.len(), 6, "a failed walk takes its output back");
            Err(error)
        }
    }
}
