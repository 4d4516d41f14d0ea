//! PD's request and response headers for the calls that the gateway answers itself.
//!
//! A client takes what it gets for the answer of a PD server, so it is checked and told as one
//! would: the same code for a wrong cluster id, errors inside the header where PD has them there.

use mesh_proto::types::pdpb;
use tonic::Status;

use crate::fault::Fault;
use crate::upstream::Pd;

/// Header of a good answer, once the request's is found to be meant for this cluster.
///
/// # Errors
/// PD's own status for a wrong cluster id; [`Fault::Unavailable`] while PD has no leader.
pub(super) async fn accept(
    pd: &Pd,
    request: Option<&pdpb::RequestHeader>,
) -> Result<Option<pdpb::ResponseHeader>, Fault> {
    let needed = pd.leader().await?.cluster_id;
    let got = request.map_or(0, |header| header.cluster_id);
    if got != needed {
        let text = format!("mismatch cluster id, need {needed} but got {got}");
        return Err(Status::failed_precondition(text).into());
    }
    Ok(good(needed))
}

/// Header of a good answer.
pub(super) fn good(cluster_id: u64) -> Option<pdpb::ResponseHeader> {
    Some(pdpb::ResponseHeader {
        cluster_id,
        error: None,
    })
}

/// Turns a good header into one that carries an error.
pub(super) fn failed(
    good: Option<pdpb::ResponseHeader>,
    kind: pdpb::ErrorType,
    message: impl Into<String>,
) -> Option<pdpb::ResponseHeader> {
    let error = pdpb::Error {
        r#type: kind.into(),
        message: message.into(),
    };
    good.map(|header| pdpb::ResponseHeader {
        error: Some(error),
        ..header
    })
}

/// Whether PD answered with an error in the header.
pub(super) fn is_failed(header: Option<&pdpb::ResponseHeader>) -> bool {
    header.and_then(|header| header.error.as_ref()).is_some()
}
