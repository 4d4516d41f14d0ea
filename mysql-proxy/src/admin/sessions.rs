//! Sessions and servers: what there is, and ending or draining it.

use std::sync::atomic::Ordering::Relaxed;

use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use serde::Serialize;

use super::Admin;
use crate::sessions::Entry;

/// A session as shown.
#[derive(Debug, Serialize)]
pub(super) struct SessionInfo {
    id: u32,
    tenant: String,
    user: String,
    from: String,
    server: String,
    server_connection: u32,
    age_seconds: u64,
    commands: u64,
    received_bytes: u64,
    sent_bytes: u64,
    /// Times that it went to another server.
    moves: u64,
    /// Whether it goes on at another server if its own dies now.
    outlives_server: bool,
    /// Whether it shall be on another server.
    leaving: bool,
    /// Why it can't leave its server now.
    held_by: Option<String>,
}

/// A server as shown.
#[derive(Debug, Serialize)]
pub(super) struct ServerInfo {
    tenant: String,
    address: String,
    version: String,
    draining: bool,
    trusted: bool,
    sessions: u32,
    in_flight: u32,
    latency_microseconds: u128,
}

impl SessionInfo {
    fn of(entry: &Entry) -> SessionInfo {
        let seat = entry.seat.lock().clone();
        let figures = &entry.figures;
        SessionInfo {
            id: entry.id,
            tenant: entry.tenant.to_string(),
            user: String::from_utf8_lossy(&seat.user).into_owned(),
            from: entry.from.to_string(),
            server: seat.backend.address.clone(),
            server_connection: seat.connection,
            age_seconds: entry.since.elapsed().as_secs(),
            commands: figures.commands.get(),
            received_bytes: figures.received.get(),
            sent_bytes: figures.sent.get(),
            moves: figures.moves.get(),
            outlives_server: figures.outlives_server(),
            leaving: entry.must_leave(),
            held_by: entry.held_by().map(|obstacle| obstacle.to_string()),
        }
    }
}

pub(super) async fn list(State(admin): State<Admin>) -> Json<Vec<SessionInfo>> {
    let mut sessions = admin.proxy.sessions.all();
    sessions.sort_by_key(|entry| entry.id);
    Json(
        sessions
            .iter()
            .map(|entry| SessionInfo::of(entry))
            .collect(),
    )
}

pub(super) async fn close(State(admin): State<Admin>, Path(id): Path<u32>) -> StatusCode {
    match admin.proxy.sessions.get(id) {
        Some(entry) => {
            entry.closing.notify_one();
            StatusCode::NO_CONTENT
        }
        None => StatusCode::NOT_FOUND,
    }
}

/// Asks a session to go to another server as soon as it can; how that goes is seen in the list.
pub(super) async fn migrate(State(admin): State<Admin>, Path(id): Path<u32>) -> StatusCode {
    match admin.proxy.sessions.get(id) {
        Some(entry) => {
            entry.asked_to_leave.store(true, Relaxed);
            entry.leaving.notify_one();
            StatusCode::ACCEPTED
        }
        None => StatusCode::NOT_FOUND,
    }
}

pub(super) async fn servers(State(admin): State<Admin>) -> Json<Vec<ServerInfo>> {
    let mut servers = Vec::new();
    for tenant in admin.proxy.table().tenants() {
        for backend in tenant.fleet.backends().iter() {
            servers.push(ServerInfo {
                tenant: tenant.name.to_string(),
                address: backend.address.clone(),
                version: String::from_utf8_lossy(&backend.version()).into_owned(),
                draining: backend.draining(),
                trusted: !backend.paused(),
                sessions: backend.load.sessions(),
                in_flight: backend.load.in_flight(),
                latency_microseconds: backend.load.latency().as_micros(),
            });
        }
    }
    servers.sort_by(|one, other| (&one.tenant, &one.address).cmp(&(&other.tenant, &other.address)));
    Json(servers)
}

/// From now on the server gets no new sessions, and those that it has leave it when they can. The
/// answer tells of each what keeps it there now.
pub(super) async fn drain(
    State(admin): State<Admin>,
    Path(address): Path<String>,
) -> Result<Json<Vec<SessionInfo>>, StatusCode> {
    set_draining(&admin, &address, true)?;
    admin.proxy.sessions.urge();
    let sessions = admin.proxy.sessions.all();
    let there = sessions
        .iter()
        .filter(|entry| entry.seat.lock().backend.address == address);
    Ok(Json(there.map(|entry| SessionInfo::of(entry)).collect()))
}

pub(super) async fn undrain(
    State(admin): State<Admin>,
    Path(address): Path<String>,
) -> Result<StatusCode, StatusCode> {
    set_draining(&admin, &address, false)?;
    Ok(StatusCode::NO_CONTENT)
}

fn set_draining(admin: &Admin, address: &str, draining: bool) -> Result<(), StatusCode> {
    let mut found = false;
    for backend in admin.proxy.backends() {
        if backend.address == address {
            backend.set_draining(draining);
            found = true;
        }
    }
    if found {
        Ok(())
    } else {
        Err(StatusCode::NOT_FOUND)
    }
}
