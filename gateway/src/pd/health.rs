//! Health of the PD port. A client that hears anything but SERVING avoids the member, and there is
//! no other one to go to; whether PD itself is well shows in its answers.

use prost::Message;

use crate::grpc;

const SERVING: i32 = 1;

/// `grpc.health.v1.HealthCheckResponse`
#[derive(Clone, PartialEq, Message)]
struct HealthCheckResponse {
    #[prost(int32, tag = "1")]
    status: i32,
}

pub(super) fn serving() -> tonic::Response<grpc::Frames> {
    grpc::unary(&HealthCheckResponse { status: SERVING })
}
