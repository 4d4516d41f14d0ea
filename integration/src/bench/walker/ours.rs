//! The way of the gateway: a frame's entries are walked one by one, between the frame's ids and
//! whatever else it has, which stay as they are.

use anyhow::{Result, ensure};
use mesh_gateway::decorate::decorate;
use mesh_gateway::exchange::{Exchange, Scope};
use mesh_gateway::undecorate::undecorate;
use mesh_proto::wire::Framed;
use mesh_proto::{Message, Value, Walker, fields};

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
            Direction::Request => {
                let exchange = decorate(walker, scope, entry, body, out)?;
                ensure!(
                    exchange == Exchange::default(),
                    "a request that is remembered"
                );
            }
            Direction::Response => {
                undecorate(walker, scope, &Exchange::default(), entry, body, out)?;
            }
        }
        framed.close(out);
    }
    Ok(())
}
