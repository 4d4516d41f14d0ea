//! Every route is switched off once: a refused RPC must be refused, by its reason and without the
//! storage hearing of it; any other must be served on its own port and on no other.

use std::time::Duration;

use bytes::Bytes;
use futures::future::join_all;
use http::uri::PathAndQuery;
use mesh_gateway::grpc::RawCodec;
use mesh_gateway::listener::Role;
use mesh_proto::{
    Route, Rpc,
    mutation::{self, Decision, Row},
    tables::RPCS,
};
use tonic::client::Grpc;
use tonic::{Code, Request, Status};

use crate::SWITCH;
use crate::isolation::Checked;
use crate::plant::own;
use crate::ports::Ports;
use crate::storage::STORE;

/// A call that has not been refused by then has been accepted.
const PATIENCE: Duration = Duration::from_millis(500);
const PORTS: [Role; 2] = [Role::Pd, Role::Store(STORE)];

impl Ports {
    async fn call(&self, port: Role, rpc: &Rpc) -> Result<(), Status> {
        let mut client = Grpc::new(self.channel(port));
        client.ready().await.unwrap();
        let request = Request::new(futures::stream::iter([Bytes::new()]));
        let call = client.streaming(request, PathAndQuery::from_static(rpc.path), RawCodec);
        let opened = async {
            // A fault may also follow the head of the answer.
            call.await?.into_inner().message().await.map(|_| ())
        };
        tokio::time::timeout(PATIENCE, opened)
            .await
            .unwrap_or(Ok(()))
    }

    /// What must hold of an RPC, whatever the table says now; `route` is what it said.
    async fn check(&self, rpc: &'static Rpc, route: Route) -> Checked {
        for port in PORTS {
            let heard = self.storage.asked(rpc.path);
            let answer = self.call(port, rpc).await;
            match route {
                Route::Refuse { why } => {
                    refused(answer, why)?;
                    if self.storage.asked(rpc.path) != heard {
                        return Err("the storage heard of it".to_owned());
                    }
                }
                Route::Forward | Route::Serve if served_on(port, rpc) => routed(answer)?,
                Route::Forward | Route::Serve => refused(answer, "it is not served on this port")?,
            }
        }
        Ok(())
    }
}

fn served_on(port: Role, rpc: &Rpc) -> bool {
    match rpc.service {
        "grpc.health.v1.Health" => true,
        "tikvpb.Tikv" | "import_sstpb.ImportSST" => port == Role::Store(STORE),
        _ => port == Role::Pd,
    }
}

fn refused(answer: Result<(), Status>, why: &str) -> Checked {
    match answer {
        Err(status)
            if status.code() == Code::PermissionDenied && status.message().contains(why) =>
        {
            Ok(())
        }
        other => Err(format!("not refused because {why:?}, but {other:?}")),
    }
}

fn routed(answer: Result<(), Status>) -> Checked {
    match answer {
        Err(status) if status.message().contains("is not routed by the gateway") => {
            Err("not routed".to_owned())
        }
        _ => Ok(()),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_loss_of_any_route_is_noticed() {
    let _alone = SWITCH.lock().await;
    let ports = Ports::open(own()).await;
    let checks = RPCS.iter().map(|rpc| async {
        let checked = ports.check(rpc, rpc.route).await;
        checked.err().map(|law| format!("{}: {law}", rpc.path))
    });
    let complaints: Vec<String> = join_all(checks).await.into_iter().flatten().collect();
    assert!(
        complaints.is_empty(),
        "with every route on:\n{}",
        complaints.join("\n")
    );

    let mut unnoticed = Vec::new();
    for rpc in &RPCS {
        let row = Row {
            owner: rpc.path,
            field: None,
            decision: Decision::Route,
        };
        mutation::disable([row]);
        if ports.check(rpc, rpc.route).await.is_ok() {
            unnoticed.push(rpc.path);
        }
    }
    mutation::disable([]);
    println!(
        "{} routes switched off one by one, {} noticed",
        RPCS.len(),
        RPCS.len() - unnoticed.len()
    );
    assert!(
        unnoticed.is_empty(),
        "not noticed:\n{}",
        unnoticed.join("\n")
    );
}
