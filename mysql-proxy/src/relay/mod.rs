//! Carries the command phase of one session: the bytes of either side go to the other as they are.
//!
//! What must stay true:
//! - one command is on its way at a time; a client that sends ahead waits in its buffer, and then
//!   in its socket;
//! - a command that another module must see is told before any of its bytes is sent;
//! - no direction holds more than its buffer;
//! - an answer that isn't understood makes the relay blind, never wrong: it goes on carrying bytes
//!   of this session between this client and this server, and looks at none.

pub mod buffers;
pub mod figures;
mod pipe;

use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::task::{Context, Poll};
use std::time::Instant;

use tokio::io::{AsyncRead, AsyncWrite};

use crate::fleet::load::Load;
use crate::packet::HEADER;
use crate::packet::capability::Capabilities;
use crate::packet::command::Command;
use crate::packet::request::{Announced, OneCommand, OneFile, announced};
use crate::packet::response::{Outcome, Responses};
use crate::packet::status::Status;
use crate::packet::walker::Walker;
use figures::Figures;
use pipe::Pipe;

/// Longest command that is held as a whole for another module.
pub const LONGEST_TOLD: usize = 64 * 1024;
/// Longest text that is looked at for KILL.
const LONGEST_KILL: usize = 256;

/// What the relay cannot do alone.
#[derive(Debug)]
pub enum Event {
    /// The client sent this command; its whole packet is held and none of it was sent.
    Told(Command),
    /// A command that must be told is longer than [`LONGEST_TOLD`].
    TooLong(Command),
    /// Nothing ties the session to its server, and [`Relay::stop_when_free`] was asked for. What the
    /// client may have sent ahead is held.
    Free,
    /// The client said goodbye, and the server has been told.
    Quit,
    /// The client is gone.
    ClientClosed(Option<io::Error>),
    /// The server is gone.
    ServerClosed(Option<io::Error>),
}

/// What the client is sending.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sending {
    Nothing,
    Command,
    File,
}

/// The command phase of one session.
#[derive(Debug)]
pub struct Relay<C, S> {
    /// The client's side.
    pub client: C,
    /// The server's side.
    pub server: S,
    up: Pipe,
    down: Pipe,
    requests: Walker,
    answers: Walker,
    responses: Responses,
    sending: Sending,
    answering: bool,
    blind: bool,
    quitting: bool,
    /// The command at the front has been told and goes on now.
    told: bool,
    stop_when_free: bool,
    agreed: Capabilities,
    figures: Arc<Figures>,
    load: Arc<Load>,
    since: Option<Instant>,
}

impl<C, S> Relay<C, S>
where
    C: AsyncRead + AsyncWrite + Unpin,
    S: AsyncRead + AsyncWrite + Unpin,
{
    /// Between a client and a server that have agreed on `agreed` and have ended the login.
    pub fn new(
        client: C,
        server: S,
        agreed: Capabilities,
        figures: Arc<Figures>,
        load: Arc<Load>,
    ) -> Self {
        Relay {
            client,
            server,
            up: Pipe::default(),
            down: Pipe::default(),
            requests: Walker::default(),
            answers: Walker::default(),
            responses: Responses::new(agreed),
            sending: Sending::Nothing,
            answering: false,
            blind: agreed.intersect(Capabilities::COMPRESS | Capabilities::ZSTD),
            quitting: false,
            told: false,
            stop_when_free: false,
            agreed,
            figures,
            load,
            since: None,
        }
    }

    /// Carries bytes until something happens that needs another module.
    pub async fn run(&mut self) -> Event {
        std::future::poll_fn(|cx| self.poll_event(cx)).await
    }

    /// Status flags that the server told last.
    #[must_use]
    pub fn status(&self) -> Status {
        self.responses.status()
    }

    /// What client and server have agreed on.
    #[must_use]
    pub fn agreed(&self) -> Capabilities {
        self.agreed
    }

    /// Whether [`Event::Free`] is wanted, before the next command is sent.
    pub fn stop_when_free(&mut self, wanted: bool) {
        self.stop_when_free = wanted;
    }

    /// Whether the next command may as well go to another server: the last answer told of no
    /// transaction and no open cursor. What no answer tells of, the server knows.
    fn untied(&self) -> bool {
        let status = self.responses.status();
        let bound = status.in_transaction() || status.open_cursor();
        !self.blind && !self.told && !self.busy() && !bound
    }

    /// Untied, and no byte is on its way.
    fn free(&self) -> bool {
        self.untied() && !self.up.sending() && self.down.is_empty()
    }

    /// No command is on its way and nothing is buffered.
    #[must_use]
    pub fn idle(&self) -> bool {
        !self.blind
            && !self.answering
            && self.sending == Sending::Nothing
            && self.up.is_empty()
            && self.down.is_empty()
    }

    /// Whether a command is on its way to the server, or its answer back.
    #[must_use]
    pub fn busy(&self) -> bool {
        self.answering || self.sending != Sending::Nothing
    }

    /// The packet that was told.
    #[must_use]
    pub fn told_packet(&self) -> &[u8] {
        let held = self.up.held();
        let length = announced(held).map_or(0, |told| HEADER + told.length);
        held.get(..length).unwrap_or_default()
    }

    /// Sends `packet` in the place of the one that was told.
    pub fn send_instead(&mut self, packet: &[u8]) {
        self.up.replace(self.told_packet().len(), packet);
        self.told = true;
    }

    /// Drops the packet that was told; whoever calls this has answered it.
    pub fn drop_told(&mut self) {
        self.up.replace(self.told_packet().len(), &[]);
    }

    /// Goes on with another server, on which the client has logged in anew.
    pub fn continue_with(&mut self, server: S, agreed: Capabilities, load: Arc<Load>) {
        self.server = server;
        self.agreed = agreed;
        self.load = load;
        self.responses = Responses::new(agreed);
        self.answers = Walker::default();
    }

    /// One turn: send, read, understand, until nothing moves.
    pub fn poll_event(&mut self, cx: &mut Context<'_>) -> Poll<Event> {
        loop {
            let mut moved = false;
            if let Poll::Ready(outcome) = self.poll_up(cx) {
                match outcome {
                    Ok(()) => moved = true,
                    Err(event) => return Poll::Ready(event),
                }
            }
            if let Poll::Ready(outcome) = self.poll_down(cx) {
                match outcome {
                    Ok(()) => moved = true,
                    Err(event) => return Poll::Ready(event),
                }
            }
            if self.stop_when_free && self.free() {
                return Poll::Ready(Event::Free);
            }
            let blocked = self.up.sending();
            if let Some(event) = self.admit() {
                return Poll::Ready(event);
            }
            moved |= !blocked && self.up.sending();
            if !moved {
                return Poll::Pending;
            }
        }
    }

    /// From the client to the server: one write, or one read.
    fn poll_up(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Event>> {
        if self.up.sending() {
            return match self.up.poll_send(cx, &mut self.server) {
                Poll::Ready(Ok(())) if self.quitting => Poll::Ready(Err(Event::Quit)),
                Poll::Ready(Err(error)) => Poll::Ready(Err(Event::ServerClosed(Some(error)))),
                Poll::Ready(Ok(())) => Poll::Ready(Ok(())),
                Poll::Pending => Poll::Pending,
            };
        }
        if self.waits_for_answer() {
            return Poll::Pending;
        }
        match self.up.poll_fill(cx, &mut self.client) {
            Poll::Ready(Ok(0)) => Poll::Ready(Err(Event::ClientClosed(None))),
            Poll::Ready(Ok(count)) => {
                self.figures.received.add(count as u64);
                Poll::Ready(Ok(()))
            }
            Poll::Ready(Err(error)) => Poll::Ready(Err(Event::ClientClosed(Some(error)))),
            Poll::Pending => Poll::Pending,
        }
    }

    /// A command sent ahead is held: reading on would only hold more.
    fn waits_for_answer(&self) -> bool {
        self.answering && self.sending == Sending::Nothing && !self.up.held().is_empty()
    }

    /// From the server to the client: one write, or one read.
    fn poll_down(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Event>> {
        if self.down.sending() {
            let sent = self.down.poll_send(cx, &mut self.client);
            return sent.map_err(|error| Event::ClientClosed(Some(error)));
        }
        match self.down.poll_fill(cx, &mut self.server) {
            Poll::Ready(Ok(0)) => Poll::Ready(Err(Event::ServerClosed(None))),
            Poll::Ready(Ok(count)) => {
                self.figures.sent.add(count as u64);
                self.follow();
                Poll::Ready(Ok(()))
            }
            Poll::Ready(Err(error)) => Poll::Ready(Err(Event::ServerClosed(Some(error)))),
            Poll::Pending => Poll::Pending,
        }
    }

    /// Clears what may go to the server. Tells a command that another module must see.
    fn admit(&mut self) -> Option<Event> {
        loop {
            let held = self.up.held();
            if held.is_empty() {
                return None;
            }
            if self.blind {
                self.up.clear(held.len());
                return None;
            }
            match self.sending {
                Sending::Command | Sending::File => {
                    if !self.pass_on() {
                        return None;
                    }
                }
                Sending::Nothing if self.answering => return None,
                Sending::Nothing if self.stop_when_free && self.untied() => return None,
                Sending::Nothing => {
                    let next = announced(held)?;
                    if let Some(event) = self.tell(next) {
                        return event;
                    }
                    self.begin(next);
                }
            }
        }
    }

    /// Clears bytes of the command or file being sent; whether its end is among them.
    fn pass_on(&mut self) -> bool {
        let held = self.up.held();
        let (passed, ended) = if self.sending == Sending::File {
            let mut file = OneFile::default();
            (self.requests.walk(held, &mut file), file.ended)
        } else {
            let mut command = OneCommand::default();
            (self.requests.walk(held, &mut command), command.ended)
        };
        self.up.clear(passed);
        if ended {
            self.sending = Sending::Nothing;
        }
        ended
    }

    /// `Some` when the command can't go on: it is told, or more of it is needed before that.
    fn tell(&mut self, next: Announced) -> Option<Option<Event>> {
        let command = next.command.filter(|_| !self.told)?;
        let whole = HEADER + next.length;
        match command {
            Command::CHANGE_USER | Command::PROCESS_KILL if next.length > LONGEST_TOLD => {
                return Some(Some(Event::TooLong(command)));
            }
            Command::CHANGE_USER | Command::PROCESS_KILL => {}
            Command::QUERY if next.length <= LONGEST_KILL && self.may_be_kill() => {}
            _ => return None,
        }
        if self.up.held().len() < whole {
            self.up.reserve(whole + HEADER);
            return Some(None);
        }
        Some(Some(Event::Told(command)))
    }

    /// Looks at the first letters only.
    fn may_be_kill(&self) -> bool {
        let text = self
            .up
            .held()
            .get(HEADER + 1..)
            .unwrap_or_default()
            .trim_ascii_start();
        text.get(..4)
            .is_none_or(|word| word.eq_ignore_ascii_case(b"kill"))
    }

    fn begin(&mut self, next: Announced) {
        let command = next.command.unwrap_or(Command(u8::MAX));
        self.told = false;
        self.sending = Sending::Command;
        self.answering = self.responses.begin(command);
        self.quitting |= command == Command::QUIT;
        self.figures.commands.add(1);
        if self.answering {
            self.figures.busy.store(true, Relaxed);
            self.load.begin();
            self.since = Some(Instant::now());
        }
    }

    fn complete(&mut self) {
        self.answering = false;
        let status = self.responses.status();
        let figures = &self.figures;
        figures
            .in_transaction
            .store(status.in_transaction(), Relaxed);
        figures.cursor.store(status.open_cursor(), Relaxed);
        self.figures.busy.store(false, Relaxed);
        if let Some(since) = self.since.take() {
            self.load.end(Some(since.elapsed()));
        }
    }

    fn go_blind(&mut self) {
        self.blind = true;
        self.figures.blind.store(true, Relaxed);
    }

    /// Clears what may go to the client, and follows the answer in it.
    fn follow(&mut self) {
        if self.blind || !self.answering {
            // A server that speaks unasked: its goodbye, or the error of a command that has no
            // answer. Which answer belongs to which command is no longer known.
            self.go_blind();
            self.down.clear(self.down.held().len());
            return;
        }
        let passed = self.answers.walk(self.down.held(), &mut self.responses);
        self.down.clear(passed);
        match self.responses.outcome() {
            Outcome::Open => {}
            Outcome::FileRequested => self.sending = Sending::File,
            Outcome::Complete => self.complete(),
            Outcome::Lost => self.go_blind(),
        }
        let beyond = !self.answering && !self.down.held().is_empty();
        if self.blind || beyond {
            self.go_blind();
            self.down.clear(self.down.held().len());
        }
    }
}

impl<C, S> Drop for Relay<C, S> {
    fn drop(&mut self) {
        if self.since.take().is_some() {
            self.load.end(None);
        }
    }
}

#[cfg(test)]
mod tests;
