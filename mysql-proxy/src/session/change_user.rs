//! COM_CHANGE_USER: a whole new login on a server of the same tenant, then the place is taken.
//!
//! TiDB's own way of it refuses users of caching_sha2_password; a login doesn't. As with a login
//! that fails, one that changes the user and fails ends the connection, as in MySQL.

use std::sync::Arc;

use tokio::time::timeout;

use super::connect::{self, Connected, Introduction};
use super::{Session, route};
use crate::fault::Fault;
use crate::handshake::client::refuse_token;
use crate::handshake::packets::Packets;
use crate::packet::{HEADER, change_user};
use crate::route::Refusal;

impl Session {
    pub(super) async fn change_user(&mut self) -> Result<(), Fault> {
        let payload = self.relay.told_packet().get(HEADER..).unwrap_or_default();
        let login = change_user::parse(payload, &self.login).ok_or(Fault::NotALogin)?;
        refuse_token(&login)?;
        self.relay.drop_told();
        if !self.relay.idle() {
            // What was sent ahead would be taken for a part of the authentication.
            return Err(Fault::NotALogin);
        }
        let entry = Arc::clone(&self.registered.entry);
        let route = route(
            &self.proxy,
            &login,
            self.relay.client.asked_host(),
            &self.listener,
            entry.from,
        )?;
        if route.tenant.name != entry.tenant {
            let (own, other) = (entry.tenant.to_string(), route.tenant.name.to_string());
            return Err(Refusal::Disagreement(own, other).into());
        }
        let limits = self.proxy.config().limits.clone();
        let connected = {
            let mut client = Packets::new(&mut self.relay.client, limits.login_bytes);
            client.sequence = 1;
            let introduction = Introduction {
                login: &login,
                route: &route,
                session: entry.id,
                from: entry.from,
            };
            let connecting = connect::connect(&self.proxy, &mut client, introduction);
            let outcome = timeout(limits.login_timeout, connecting).await;
            outcome.unwrap_or(Err(Fault::Timeout))?
        };
        let Connected {
            server,
            seat,
            agreed,
        } = connected;
        self.move_to(server, seat, agreed);
        *self.login = login;
        // What is kept is another user's.
        self.keep_vigil();
        self.consider_leaving();
        Ok(())
    }
}
