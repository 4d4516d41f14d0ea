//! gRPC messages as bytes: the codec that hands tonic's frames on undecoded, and the one shape in
//! which every call, unary or streaming, reaches the phases.

use std::pin::Pin;
use std::sync::Arc;

use bytes::{Buf, BufMut, Bytes};
use futures::{Stream, StreamExt};
use mesh_proto::Rpc;
use prost::Message;
use tonic::codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder};
use tonic::metadata::MetadataMap;
use tonic::{Response, Status, Streaming};

use crate::fault::Fault;
use crate::tenant::Tenant;

/// Messages of one direction of a call, undecoded, without gRPC's 5-byte head.
pub type Frames = Pin<Box<dyn Stream<Item = Result<Bytes, Status>> + Send>>;

/// One call of a tenant, on its way in.
pub struct Call {
    /// Who calls.
    pub tenant: Arc<Tenant>,
    /// What is called: a row of the closed table.
    pub rpc: &'static Rpc,
    /// The client's metadata. Nothing of it is forwarded unless a phase names it.
    pub metadata: MetadataMap,
    /// The client's messages: one for a unary call.
    pub frames: Streaming<Bytes>,
}

impl Call {
    /// The single message of a unary or server-streaming call.
    ///
    /// # Errors
    /// The transport's status, or a bad request when there is not exactly one message.
    pub async fn message(&mut self) -> Result<Bytes, Fault> {
        let first = self.frames.message().await.map_err(Fault::of_client)?;
        let first = first.ok_or_else(|| Fault::BadRequest("a call without a message".into()))?;
        match self.frames.message().await.map_err(Fault::of_client)? {
            None => Ok(first),
            Some(_) => Err(Fault::BadRequest("a second message in a unary call".into())),
        }
    }
}

/// Answer of a unary call from a message type.
pub fn unary<M: Message>(message: &M) -> Response<Frames> {
    unary_bytes(message.encode_to_vec().into())
}

/// Answer of a unary call from a message's bytes.
pub fn unary_bytes(message: Bytes) -> Response<Frames> {
    Response::new(futures::stream::once(async move { Ok(message) }).boxed())
}

/// Codec that leaves messages as they are.
#[derive(Debug, Clone, Copy, Default)]
pub struct RawCodec;

/// Encoder and decoder of [`RawCodec`].
#[derive(Debug, Clone, Copy, Default)]
pub struct RawFrames;

impl Codec for RawCodec {
    type Encode = Bytes;
    type Decode = Bytes;
    type Encoder = RawFrames;
    type Decoder = RawFrames;

    fn encoder(&mut self) -> Self::Encoder {
        RawFrames
    }

    fn decoder(&mut self) -> Self::Decoder {
        RawFrames
    }
}

impl Encoder for RawFrames {
    type Item = Bytes;
    type Error = Status;

    fn encode(&mut self, item: Bytes, dst: &mut EncodeBuf<'_>) -> Result<(), Status> {
        dst.reserve(item.len());
        dst.put(item);
        Ok(())
    }
}

impl Decoder for RawFrames {
    type Item = Bytes;
    type Error = Status;

    fn decode(&mut self, src: &mut DecodeBuf<'_>) -> Result<Option<Bytes>, Status> {
        Ok(Some(src.copy_to_bytes(src.remaining())))
    }
}
