//! BatchCommands: frames of many requests each way, paired by ids.
//!
//! Every request of a frame is decided on its own. What is refused or answered here leaves the
//! frame and is answered on the same stream; the rest goes on in the same order. The answer stream
//! opens at once, because a store may not answer before it has something to say.

use std::collections::HashMap;
use std::sync::Arc;

use bytes::Bytes;
use futures::future::ready;
use futures::stream::{self, StreamExt};
use mesh_proto::wire::{Framed, packed_varints, put_bytes_field, put_varint};
use mesh_proto::{Message, Value, Walker, fields, tables};
use parking_lot::Mutex;
use prometheus_client::metrics::counter::Counter;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Response, Status, Streaming};

use super::{forward, refusal};
use crate::connection::Connection;
use crate::decorate::decorate;
use crate::exchange::{Exchange, Scope};
use crate::fault::Fault;
use crate::grpc::{Call, Frames};
use crate::limits::Lane;
use crate::metrics::Traffic;
use crate::tenant::Tenant;
use crate::undecorate::undecorate;

pub(super) const PATH: &str = "/tikvpb.Tikv/BatchCommands";

/// Fields of BatchCommandsRequest and BatchCommandsResponse, the same in both.
const ENTRIES: u32 = 1;
const IDS: u32 = 2;
/// Further fields of the request (`client_send_time_ns`) and the response (load, health, time).
const REQUEST_REST: [u32; 1] = [3];
const RESPONSE_REST: [u32; 3] = [3, 4, 5];
/// BroadcastTxnStatus in the oneof of both directions: accepted and dropped.
const BROADCAST: u32 = 40;

/// Requests of one stream whose answers need something of them. client-go keeps far fewer in
/// flight; beyond it the requests are refused.
const REMEMBERED: usize = 65_536;
/// Answers of the gateway itself that wait for the client to read; then reading pauses.
const LOCAL_ANSWERS: usize = 256;

/// One stream of a client.
struct Batch {
    connection: Arc<Connection>,
    tenant: Arc<Tenant>,
    exchanges: Mutex<HashMap<u64, Exchange>>,
    lane: Lane,
    request_entry: &'static Message,
    response_entry: &'static Message,
}

type Answers = mpsc::Sender<Result<Bytes, Status>>;

pub(super) fn serve(connection: &Arc<Connection>, store_id: u64, call: Call) -> Response<Frames> {
    let (answers, local) = mpsc::channel(LOCAL_ANSWERS);
    let opening = open(connection.clone(), store_id, call, answers);
    let remote = stream::once(opening).flat_map(|opened| match opened {
        Ok(frames) => frames,
        Err(fault) => stream::once(async move { Err(Status::from(fault)) }).boxed(),
    });
    let local = ReceiverStream::new(local).map(Some);
    // The storage's end of the stream is the call's end.
    let remote = remote.map(Some).chain(stream::once(async { None }));
    let frames = stream::select(local, remote)
        .take_while(|frame| ready(frame.is_some()))
        .filter_map(ready);
    Response::new(frames.boxed())
}

async fn open(
    connection: Arc<Connection>,
    store_id: u64,
    call: Call,
    answers: Answers,
) -> Result<Frames, Fault> {
    let channel = connection.store_channel(store_id)?;
    let Call {
        tenant,
        metadata,
        frames,
        ..
    } = call;
    let batch = Arc::new(Batch {
        lane: connection.lane(),
        connection,
        tenant,
        exchanges: Mutex::default(),
        request_entry: entry("tikvpb.BatchCommandsRequest.Request")?,
        response_entry: entry("tikvpb.BatchCommandsResponse.Response")?,
    });
    let metrics = &batch.connection.gateway.metrics;
    let traffic = metrics.traffic(&batch.tenant.name);
    let counters = Counters {
        traffic: traffic.clone(),
        commands: Vec::new(),
    };
    let requests = Requests {
        batch: batch.clone(),
        counters,
        answers,
        walker: Walker::new(),
    };
    let physical = stream::unfold(
        (requests, frames),
        |(mut requests, mut frames)| async move {
            let frame = requests.next(&mut frames).await?;
            Some((frame, (requests, frames)))
        },
    );
    let remote = forward::open(channel, PATH, &metadata, physical).await?;
    let mut responses = Responses {
        batch,
        traffic,
        walker: Walker::new(),
    };
    let logical =
        move |frame: Result<Bytes, Status>| responses.logical(&frame.map_err(Fault::of_storage)?);
    Ok(remote.map(logical).boxed())
}

fn entry(name: &str) -> Result<&'static Message, Fault> {
    tables::message(name).ok_or_else(|| Fault::BadAnswer(format!("{name} is in no table")))
}

/// The way up.
struct Requests {
    batch: Arc<Batch>,
    counters: Counters,
    answers: Answers,
    walker: Walker,
}

impl Requests {
    /// The next frame for the store. The stream ends with the client's, or with a frame that can't
    /// be taken apart.
    async fn next(&mut self, frames: &mut Streaming<Bytes>) -> Option<Bytes> {
        loop {
            let frame = match frames.message().await {
                Ok(frame) => self.physical(&frame?).await,
                Err(status) => Err(Fault::of_client(status)),
            };
            match frame {
                Ok(Some(physical)) => return Some(physical),
                Ok(None) => {}
                Err(fault) => {
                    self.batch.count(&fault);
                    let _ = self.answers.send(Err(fault.into())).await;
                    return None;
                }
            }
        }
    }

    /// A frame for the store; `None` when nothing of it goes there.
    async fn physical(&mut self, frame: &Bytes) -> Result<Option<Bytes>, Fault> {
        self.counters.traffic.received.inc_by(frame.len() as u64);
        let parts = Frame::read(frame, &REQUEST_REST)?;
        let asked = parts.ids.len();
        if let Err(busy) = self
            .batch
            .lane
            .enter(asked as u64, frame.len() as u64)
            .await
        {
            self.turn_away(&parts, &Fault::from(busy)).await;
            return Ok(None);
        }
        let mut out = Vec::with_capacity(frame.len() + 64);
        let mut forwarded = Vec::with_capacity(parts.ids.len());
        for (entry, id) in parts.entries.iter().zip(&parts.ids) {
            let start = out.len();
            match self.entry(*id, entry, &mut out).await {
                Ok(()) => forwarded.push(*id),
                Err(answer) => {
                    out.truncate(start);
                    let answer = response_frame(*id, &answer);
                    // A closed channel means that the client is gone; so is this stream, soon.
                    let _ = self.answers.send(Ok(answer)).await;
                }
            }
        }
        if forwarded.len() < asked || asked == 0 {
            self.batch.lane.leave((asked - forwarded.len()) as u64, 0);
        }
        if forwarded.is_empty() {
            return Ok(None);
        }
        put_ids(&forwarded, &mut out);
        out.extend(parts.rest.into_iter().flatten());
        Ok(Some(out.into()))
    }

    /// Tells each request of a frame that the server is busy.
    async fn turn_away(&self, parts: &Frame<'_>, fault: &Fault) {
        for (entry, id) in parts.entries.iter().zip(&parts.ids) {
            let answer = self.batch.busy(tag_of(entry), fault);
            let _ = self.answers.send(Ok(response_frame(*id, &answer))).await;
        }
    }

    /// Appends one decorated entry, or gives the entry that answers it.
    async fn entry(&mut self, id: u64, entry: &[u8], out: &mut Vec<u8>) -> Result<(), Vec<u8>> {
        let tag = tag_of(entry);
        self.counters.count(&self.batch, tag);
        if tag == BROADCAST {
            return Err(response_entry(tag, &[]));
        }
        let batch = self.batch.clone();
        let framed = Framed::open(ENTRIES, entry.len(), out);
        let table = batch.request_entry;
        let exchange = decorate(&mut self.walker, batch.scope(), table, entry, out)
            .map_err(|fault| batch.refused(tag, &fault))?;
        framed.close(out);
        if let Some(region) = exchange.bounded_by_region {
            match forward::is_inside(&batch.connection, &batch.tenant, region).await {
                Ok(true) => {}
                Ok(false) => return Err(batch.epoch_not_match(tag)),
                Err(fault) => return Err(batch.refused(tag, &fault)),
            }
        }
        batch
            .remember(id, exchange)
            .map_err(|fault| batch.refused(tag, &fault))
    }
}

/// Counters of one stream, looked up once.
struct Counters {
    traffic: Traffic,
    /// Commands by their number in the oneof, as far as they have been seen.
    commands: Vec<Option<Counter>>,
}

impl Counters {
    fn count(&mut self, batch: &Batch, tag: u32) {
        let Some(command) = batch.request_entry.field(tag) else {
            return;
        };
        let index = tag as usize;
        if self.commands.len() <= index {
            self.commands.resize(index + 1, None);
        }
        if let Some(counter) = self.commands.get_mut(index) {
            let metrics = &batch.connection.gateway.metrics;
            counter
                .get_or_insert_with(|| metrics.command(&batch.tenant.name, command.name))
                .inc();
        }
    }
}

/// The way down.
struct Responses {
    batch: Arc<Batch>,
    traffic: Traffic,
    walker: Walker,
}

impl Responses {
    fn logical(&mut self, frame: &Bytes) -> Result<Bytes, Status> {
        self.traffic.sent.inc_by(frame.len() as u64);
        let parts = Frame::read(frame, &RESPONSE_REST)
            .map_err(|fault| Fault::BadAnswer(fault.to_string()))?;
        let answered = parts.ids.len() as u64;
        self.batch.lane.leave(answered, frame.len() as u64);
        let mut out = Vec::with_capacity(frame.len() + 16);
        for (entry, id) in parts.entries.iter().zip(&parts.ids) {
            let start = out.len();
            let exchange = self.batch.exchange_of(*id);
            let framed = Framed::open(ENTRIES, entry.len(), &mut out);
            let table = self.batch.response_entry;
            let scope = self.batch.scope();
            match undecorate(&mut self.walker, scope, &exchange, table, entry, &mut out) {
                Ok(()) => framed.close(&mut out),
                Err(fault) => {
                    out.truncate(start);
                    let refused = self.batch.refused(tag_of(entry), &fault);
                    put_bytes_field(ENTRIES, &refused, &mut out);
                }
            }
        }
        put_ids(&parts.ids, &mut out);
        out.extend(parts.rest.into_iter().flatten());
        Ok(out.into())
    }
}

impl Batch {
    fn scope(&self) -> Scope<'_> {
        self.connection.scope(&self.tenant)
    }

    fn count(&self, fault: &Fault) {
        self.connection
            .gateway
            .metrics
            .fault(&self.tenant.name, fault);
    }

    fn remember(&self, id: u64, exchange: Exchange) -> Result<(), Fault> {
        if !exchange.is_remembered() {
            return Ok(());
        }
        let mut exchanges = self.exchanges.lock();
        if exchanges.len() >= REMEMBERED {
            return Err(Fault::Refused(
                "too many requests in flight on one stream".to_owned(),
            ));
        }
        exchanges.insert(id, exchange);
        Ok(())
    }

    fn exchange_of(&self, id: u64) -> Exchange {
        let mut exchanges = self.exchanges.lock();
        if exchanges.is_empty() {
            Exchange::default()
        } else {
            exchanges.remove(&id).unwrap_or_default()
        }
    }

    /// The entry that answers a refused request. An empty one for a command that has no answer
    /// here: clients report it as an unknown command.
    fn refused(&self, tag: u32, fault: &Fault) -> Vec<u8> {
        self.count(fault);
        let answer = self.response_entry.field(tag).and_then(|field| field.child);
        let answer = answer.map(|answer| refusal::failed(answer, &fault.to_string()));
        answer.map_or_else(Vec::new, |body| response_entry(tag, &body))
    }

    /// The entry that has a request tried again later.
    fn busy(&self, tag: u32, fault: &Fault) -> Vec<u8> {
        let answer = self.response_entry.field(tag).and_then(|field| field.child);
        let busy = answer.and_then(|answer| refusal::server_is_busy(answer, &fault.to_string()));
        match busy {
            None => self.refused(tag, fault),
            Some(body) => {
                self.count(fault);
                response_entry(tag, &body)
            }
        }
    }

    fn epoch_not_match(&self, tag: u32) -> Vec<u8> {
        let answer = self.response_entry.field(tag).and_then(|field| field.child);
        answer.map_or_else(Vec::new, |answer| {
            response_entry(tag, &refusal::epoch_not_match(answer))
        })
    }
}

/// A frame taken apart.
struct Frame<'a> {
    entries: Vec<&'a [u8]>,
    ids: Vec<u64>,
    /// Fields that are neither, as they stand.
    rest: Vec<&'a [u8]>,
}

impl<'a> Frame<'a> {
    fn read(frame: &'a [u8], rest: &[u32]) -> Result<Frame<'a>, Fault> {
        let bad = |why: &str| Fault::BadRequest(format!("a BatchCommands frame {why}"));
        let mut parts = Frame {
            entries: Vec::new(),
            ids: Vec::new(),
            rest: Vec::new(),
        };
        for field in fields(frame) {
            let field = field.map_err(|malformed| bad(&malformed.to_string()))?;
            match (field.number, field.value) {
                (ENTRIES, Value::Len(entry)) => parts.entries.push(entry),
                (IDS, Value::Len(packed)) => {
                    for id in packed_varints(packed) {
                        parts
                            .ids
                            .push(id.map_err(|malformed| bad(&malformed.to_string()))?);
                    }
                }
                (IDS, Value::Varint(id)) => parts.ids.push(id),
                (number, _) if rest.contains(&number) => parts.rest.push(field.raw),
                (number, _) => return Err(bad(&format!("has field {number}, which is not known"))),
            }
        }
        if parts.entries.len() != parts.ids.len() {
            return Err(bad("has not as many ids as entries"));
        }
        Ok(parts)
    }
}

/// Which command an entry is.
fn tag_of(entry: &[u8]) -> u32 {
    let first = fields(entry).next().and_then(Result::ok);
    first.map_or(0, |field| field.number)
}

fn put_ids(ids: &[u64], out: &mut Vec<u8>) {
    let framed = Framed::open(IDS, ids.len() * 2, out);
    ids.iter().for_each(|id| put_varint(*id, out));
    framed.close(out);
}

fn response_entry(tag: u32, body: &[u8]) -> Vec<u8> {
    let mut entry = Vec::with_capacity(body.len() + 8);
    put_bytes_field(tag, body, &mut entry);
    entry
}

fn response_frame(id: u64, entry: &[u8]) -> Bytes {
    let mut frame = Vec::with_capacity(entry.len() + 16);
    put_bytes_field(ENTRIES, entry, &mut frame);
    put_ids(&[id], &mut frame);
    frame.into()
}
