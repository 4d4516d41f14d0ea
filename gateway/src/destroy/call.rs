//! Calls to stores that no tenant made.

use std::time::Duration;

use http::uri::PathAndQuery;
use prost::Message;
use tonic::client::Grpc;
use tonic::{Request, Status};

use crate::fault::Fault;
use crate::grpc::RawCodec;
use crate::upstream::Dialer;

/// One unary call.
pub(super) async fn call<Q: Message, A: Message + Default>(
    dialer: &Dialer,
    address: &str,
    path: &'static str,
    request: &Q,
    within: Duration,
) -> Result<A, Fault> {
    let mut client = Grpc::new(dialer.channel(address)?);
    let call = async {
        client
            .ready()
            .await
            .map_err(|fault| Status::unavailable(fault.to_string()))?;
        let request = Request::new(request.encode_to_vec().into());
        client
            .unary(request, PathAndQuery::from_static(path), RawCodec)
            .await
    };
    let answer = tokio::time::timeout(within, call)
        .await
        .map_err(|_| Fault::Unavailable(format!("a store did not answer {path} in time")))?
        .map_err(Fault::of_storage)?;
    A::decode(answer.into_inner()).map_err(|fault| Fault::BadAnswer(format!("{path}: {fault}")))
}
