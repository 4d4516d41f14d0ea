//! The way of the gateway: a frame's entries are walked one by one, between the frame's ids and
//! whatever else it has, which stay as they are.
//!
//! The gateway's own phases are called where it serves the mode. It serves requests in `table` mode
//! only so far; for the others [`Keys`] stands in, which maps keys and ranges and nothing else.

use anyhow::{Result, anyhow, ensure};
use mesh_gateway::decorate::decorate;
use mesh_gateway::exchange::{Exchange, Scope};
use mesh_gateway::undecorate::undecorate;
use mesh_keyspace::{KeyError, Keyspace, LogicalKey, Mode};
use mesh_proto::wire::Framed;
use mesh_proto::{
    At, Bounds, Form, Hook, KeyMap, Message, Nested, Range, Unhandled, Value, Verdict, WalkError,
    Walker, fields,
};

use super::frames::Direction;

/// The entries' field, the same in both directions.
const ENTRIES: u32 = 1;

pub(super) fn rewrite(
    walker: &mut Walker,
    scope: Scope<'_>,
    direction: Direction,
    entry: &'static Message,
    frame: &[u8],
    out: &mut Vec<u8>,
) -> Result<()> {
    for field in fields(frame) {
        let field = field?;
        let Value::Len(body) = field.value else {
            out.extend_from_slice(field.raw);
            continue;
        };
        if field.number != ENTRIES {
            out.extend_from_slice(field.raw);
            continue;
        }
        let framed = Framed::open(ENTRIES, body.len(), out);
        match direction {
            Direction::Request => request(walker, scope, entry, body, out)?,
            Direction::Response => {
                undecorate(walker, scope, &Exchange::default(), entry, body, out)?;
            }
        }
        framed.close(out);
    }
    Ok(())
}

fn request(
    walker: &mut Walker,
    scope: Scope<'_>,
    entry: &'static Message,
    body: &[u8],
    out: &mut Vec<u8>,
) -> Result<()> {
    if scope.keyspace.mode() == Mode::Table {
        let exchange = decorate(walker, scope, entry, body, out)?;
        ensure!(
            exchange == Exchange::default(),
            "a request that is remembered"
        );
        return Ok(());
    }
    let walked = walker.rewrite(entry, body, &mut Keys(scope.keyspace), out);
    walked
        .map(drop)
        .map_err(|error| anyhow!("{} in {}", error.kind(), error.message))
}

/// Maps keys and ranges by the tables alone.
struct Keys<'a>(&'a Keyspace);

/// Why [`Keys`] gave up.
#[derive(Debug)]
enum KeysFault {
    Key,
    Unhandled,
}

impl From<KeyError> for KeysFault {
    fn from(_: KeyError) -> Self {
        Self::Key
    }
}

impl From<Unhandled> for KeysFault {
    fn from(_: Unhandled) -> Self {
        Self::Unhandled
    }
}

impl KeyMap for Keys<'_> {
    type Error = KeysFault;

    fn key(&mut self, _: At, _: Form, key: &[u8], out: &mut Vec<u8>) -> Result<Verdict, KeysFault> {
        self.0
            .encode_key(mesh_keyspace::Form::Raw, LogicalKey(key), out)?;
        Ok(Verdict::Keep)
    }

    fn range(&mut self, _: At, range: Range<'_>, out: &mut Bounds) -> Result<Verdict, KeysFault> {
        let raw = mesh_keyspace::Form::Raw;
        let (start, end) = (&mut out.start, &mut out.end);
        self.0
            .encode_range_into(raw, false, range.start, range.end, start, end)?;
        Ok(Verdict::Keep)
    }

    fn hook(
        &mut self,
        _: Hook,
        body: &[u8],
        nested: &mut Nested<'_>,
        out: &mut Vec<u8>,
    ) -> Result<Verdict, WalkError<KeysFault>> {
        nested.rewrite(body, self, out)
    }
}
