//! Timestamps: one oracle for all tenants, which is what makes their snapshots comparable and a
//! tenant's move to a cluster of its own possible.

use std::time::Duration;

use bytes::Bytes;
use futures::{StreamExt, stream};
use mesh_proto::fields;
use mesh_proto::types::pdpb;
use prost::Message;

use super::gc::Timestamp;
use super::{relay, request};
use crate::fault::Fault;
use crate::grpc::{Call, Frames};
use crate::upstream::Pd;

const TSO: &str = "/pdpb.PD/Tso";
/// PD's own clients give up after three seconds.
const OWN_TIMEOUT: Duration = Duration::from_secs(3);
/// Bits of a timestamp that count within a millisecond.
const LOGICAL_BITS: u32 = 18;

/// Joins a client's stream of requests to one of PD's. Frames go through one by one: PD answers
/// each, and clients pair answers with requests by position.
pub(super) async fn serve(pd: &Pd, call: Call) -> Result<tonic::Response<Frames>, Fault> {
    let Call { rpc, frames, .. } = call;
    let up = move |frame: Bytes| {
        request::check(rpc, &frame)?;
        few(&frame)?;
        Ok(frame)
    };
    relay::relay(pd, TSO, frames, up, known_fields).await
}

/// PD can give out 2^18 timestamps a millisecond and makes everybody wait when they are used up;
/// its clients ask for this many at once at most.
const MOST_AT_ONCE: u64 = 10_000;
/// `count` of TsoRequest.
const COUNT: u32 = 2;

fn few(frame: &[u8]) -> Result<(), Fault> {
    let asked = fields(frame)
        .flatten()
        .filter(|field| field.number == COUNT)
        .find_map(|field| field.varint());
    if asked.is_some_and(|count| count > MOST_AT_ONCE) {
        let text = format!("more than {MOST_AT_ONCE} timestamps at once");
        return Err(Fault::Refused(text));
    }
    Ok(())
}

/// A timestamp for the gateway itself.
///
/// # Errors
/// PD's status, or [`Fault::Unavailable`].
pub(super) async fn now(pd: &Pd) -> Result<Timestamp, Fault> {
    let request = pdpb::TsoRequest {
        header: pd.header().await?,
        count: 1,
        ..Default::default()
    };
    let frame = Bytes::from(request.encode_to_vec());
    let ask = async {
        // The request side stays open until the answer is there.
        let frames = stream::once(async move { frame }).chain(stream::pending());
        let mut answers = pd.stream(TSO, frames).await?.into_inner();
        let answer = answers.message().await.map_err(Fault::of_storage)?;
        let answer = answer.ok_or_else(|| Fault::BadAnswer("TSO stream without answer".into()))?;
        pdpb::TsoResponse::decode(answer).map_err(|fault| Fault::BadAnswer(fault.to_string()))
    };
    let answer = tokio::time::timeout(OWN_TIMEOUT, ask)
        .await
        .map_err(|_| Fault::Unavailable("no timestamp in time".to_owned()))??;
    timestamp(answer.timestamp)
}

fn timestamp(told: Option<pdpb::Timestamp>) -> Result<Timestamp, Fault> {
    let bad = || Fault::BadAnswer("TSO answer without a timestamp".to_owned());
    let told = told.ok_or_else(bad)?;
    let physical = u64::try_from(told.physical).map_err(|_| bad())?;
    let logical = u64::try_from(told.logical).map_err(|_| bad())?;
    Ok((physical << LOGICAL_BITS).wrapping_add(logical))
}

fn known_fields(answer: Bytes) -> Result<Option<Bytes>, Fault> {
    let answer = pdpb::TsoResponse::decode(answer)
        .map_err(|fault| Fault::BadAnswer(format!("TSO: {fault}")))?;
    Ok(Some(answer.encode_to_vec().into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_takes_all_timestamps_of_a_millisecond() {
        let asked = |count| {
            let request = pdpb::TsoRequest {
                count,
                ..Default::default()
            };
            few(&request.encode_to_vec())
        };
        assert!(asked(1).is_ok() && asked(10_000).is_ok());
        assert!(asked(10_001).is_err() && asked(u32::MAX).is_err());
    }
}
