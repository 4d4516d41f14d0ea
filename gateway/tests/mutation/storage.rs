//! A storage cluster that answers anything and writes down what it was asked: PD, its etcd and a
//! store on one port.

use std::convert::Infallible;
use std::sync::Arc;

use bytes::{BufMut, Bytes, BytesMut};
use http_body_util::StreamBody;
use hyper::body::{Frame, Incoming};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use mesh_proto::types::{etcdserverpb, metapb, pdpb};
use parking_lot::Mutex;
use prost::Message;
use tokio::net::TcpListener;

pub const STORE: u64 = 1;

pub struct Storage {
    pub address: String,
    asked: Mutex<Vec<String>>,
}

impl Storage {
    pub async fn start() -> Arc<Storage> {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let storage = Arc::new(Storage {
            address: listener.local_addr().unwrap().to_string(),
            asked: Mutex::default(),
        });
        tokio::spawn(serve(storage.clone(), listener));
        storage
    }

    /// How often an RPC came through.
    pub fn asked(&self, path: &str) -> usize {
        let asked = self.asked.lock();
        asked.iter().filter(|came| *came == path).count()
    }

    fn answer(&self, path: &str) -> Vec<u8> {
        match path {
            "/pdpb.PD/GetMembers" => self.members().encode_to_vec(),
            "/pdpb.PD/GetAllStores" => self.stores().encode_to_vec(),
            "/etcdserverpb.KV/Txn" => etcdserverpb::TxnResponse {
                header: Some(etcdserverpb::ResponseHeader::default()),
                succeeded: true,
                ..Default::default()
            }
            .encode_to_vec(),
            _ => Vec::new(),
        }
    }

    fn members(&self) -> pdpb::GetMembersResponse {
        let member = pdpb::Member {
            member_id: 1,
            client_urls: vec![format!("http://{}", self.address)],
            ..Default::default()
        };
        pdpb::GetMembersResponse {
            header: header(),
            members: vec![member.clone()],
            leader: Some(member),
            ..Default::default()
        }
    }

    fn stores(&self) -> pdpb::GetAllStoresResponse {
        pdpb::GetAllStoresResponse {
            header: header(),
            stores: vec![metapb::Store {
                id: STORE,
                address: self.address.clone(),
                ..Default::default()
            }],
        }
    }
}

fn header() -> Option<pdpb::ResponseHeader> {
    Some(pdpb::ResponseHeader {
        cluster_id: 1,
        ..Default::default()
    })
}

async fn serve(storage: Arc<Storage>, listener: TcpListener) {
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            return;
        };
        let storage = storage.clone();
        let service = service_fn(move |request: http::Request<Incoming>| {
            let path = request.uri().path().to_owned();
            let answer = storage.answer(&path);
            storage.asked.lock().push(path);
            async move { Ok::<_, Infallible>(response(&answer)) }
        });
        let connection = hyper::server::conn::http2::Builder::new(TokioExecutor::new())
            .serve_connection(TokioIo::new(stream), service);
        tokio::spawn(connection);
    }
}

type Body =
    StreamBody<futures::stream::Iter<std::array::IntoIter<Result<Frame<Bytes>, Infallible>, 2>>>;

/// One gRPC message and a good end.
fn response(message: &[u8]) -> http::Response<Body> {
    let mut data = BytesMut::with_capacity(message.len() + 5);
    data.put_u8(0);
    data.put_u32(message.len() as u32);
    data.put_slice(message);
    let mut trailers = http::HeaderMap::new();
    trailers.insert("grpc-status", http::HeaderValue::from_static("0"));
    let frames = [
        Ok(Frame::data(data.freeze())),
        Ok(Frame::trailers(trailers)),
    ];
    let mut response = http::Response::new(StreamBody::new(futures::stream::iter(frames)));
    let grpc = http::HeaderValue::from_static("application/grpc");
    response
        .headers_mut()
        .insert(http::header::CONTENT_TYPE, grpc);
    response
}
