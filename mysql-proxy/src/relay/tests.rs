use proptest::prelude::*;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream, duplex};

use super::*;
use crate::packet::frame;

struct Sides {
    client: DuplexStream,
    server: DuplexStream,
    figures: Arc<Figures>,
    relay: tokio::task::JoinHandle<Event>,
}

/// A relay between two in-memory connections that carry `room` bytes at a time.
fn start(room: usize) -> Sides {
    let (client, client_side) = duplex(room);
    let (server, server_side) = duplex(room);
    let figures = Arc::<Figures>::default();
    let agreed = Capabilities::DEPRECATE_EOF;
    let mut relay = Relay::new(
        client_side,
        server_side,
        agreed,
        Arc::clone(&figures),
        Arc::default(),
    );
    let relay = tokio::spawn(async move { relay.run().await });
    Sides {
        client,
        server,
        figures,
        relay,
    }
}

fn ok() -> Vec<u8> {
    frame(1, &[0, 0, 0, 2, 0, 0, 0])
}

async fn expect(stream: &mut DuplexStream, bytes: &[u8]) {
    let mut read = vec![0; bytes.len()];
    stream.read_exact(&mut read).await.expect("bytes");
    assert_eq!(read, bytes);
}

#[tokio::test]
async fn a_command_sent_ahead_waits_for_the_answer_before_it() {
    let mut sides = start(4096);
    let (first, second) = (frame(0, b"\x03SELECT 1"), frame(0, b"\x03SELECT 2"));
    let both = [first.clone(), second.clone()].concat();
    sides.client.write_all(&both).await.expect("sent");
    expect(&mut sides.server, &first).await;
    let mut early = [0; 1];
    let wait = tokio::time::timeout(
        std::time::Duration::from_millis(20),
        sides.server.read(&mut early),
    );
    assert!(wait.await.is_err(), "the second command must wait");
    sides.server.write_all(&ok()).await.expect("answered");
    expect(&mut sides.client, &ok()).await;
    expect(&mut sides.server, &second).await;
}

#[tokio::test]
async fn commands_without_an_answer_do_not_wait() {
    let mut sides = start(4096);
    let close = frame(0, b"\x19\x01\0\0\0");
    let bytes = [close.clone(), close, frame(0, b"\x0e")].concat();
    sides.client.write_all(&bytes).await.expect("sent");
    expect(&mut sides.server, &bytes).await;
}

#[tokio::test]
async fn a_file_goes_up_between_its_request_and_the_answer() {
    let mut sides = start(4096);
    let load = frame(0, b"\x03LOAD DATA LOCAL");
    sides.client.write_all(&load).await.expect("sent");
    expect(&mut sides.server, &load).await;
    let request = frame(1, b"\xfbfile");
    sides.server.write_all(&request).await.expect("asked");
    expect(&mut sides.client, &request).await;
    let file = [frame(2, b"1,2\n"), frame(3, b"")].concat();
    let next = frame(0, b"\x0e");
    sides
        .client
        .write_all(&[file.clone(), next.clone()].concat())
        .await
        .expect("sent");
    expect(&mut sides.server, &file).await;
    sides.server.write_all(&ok()).await.expect("answered");
    expect(&mut sides.server, &next).await;
    expect(&mut sides.client, &ok()).await;
}

#[tokio::test]
async fn quit_reaches_the_server_and_ends_the_relay() {
    let mut sides = start(64);
    sides
        .client
        .write_all(&frame(0, b"\x01"))
        .await
        .expect("sent");
    expect(&mut sides.server, &frame(0, b"\x01")).await;
    assert!(matches!(sides.relay.await, Ok(Event::Quit)));
}

#[tokio::test]
async fn a_client_that_leaves_while_the_server_works_ends_the_relay() {
    let mut sides = start(64);
    let query = frame(0, b"\x03SELECT SLEEP(9)");
    sides.client.write_all(&query).await.expect("sent");
    expect(&mut sides.server, &query).await;
    drop(sides.client);
    assert!(matches!(sides.relay.await, Ok(Event::ClientClosed(None))));
}

#[tokio::test]
async fn change_user_and_kill_are_told_before_anything_is_sent() {
    for payload in [
        &b"\x11user\0\0\0"[..],
        b"\x0c\x01\0\0\0",
        b"\x03kill 5",
        b"\x03 KILL QUERY 5",
    ] {
        let mut sides = start(4096);
        sides
            .client
            .write_all(&frame(0, payload))
            .await
            .expect("sent");
        assert!(
            matches!(sides.relay.await, Ok(Event::Told(_))),
            "{payload:?}"
        );
        let mut none = Vec::new();
        sides.server.read_to_end(&mut none).await.expect("closed");
        assert_eq!(none, b"");
    }
    let mut sides = start(4096);
    sides
        .client
        .write_all(&[1, 0, 2, 0, 0x11])
        .await
        .expect("sent");
    assert!(matches!(sides.relay.await, Ok(Event::TooLong(_))));
}

#[tokio::test]
async fn answers_nobody_understands_are_carried_on() {
    let mut sides = start(4096);
    let ping = frame(0, b"\x0e");
    for _ in 0..3 {
        sides.client.write_all(&ping).await.expect("sent");
        expect(&mut sides.server, &ping).await;
        let twice = [ok(), ok()].concat();
        sides.server.write_all(&twice).await.expect("answered");
        expect(&mut sides.client, &twice).await;
    }
}

/// A client, a server, and a relay between them that a test runs itself.
fn not_running() -> (
    DuplexStream,
    DuplexStream,
    Relay<DuplexStream, DuplexStream>,
) {
    let (client, client_side) = duplex(4096);
    let (server, server_side) = duplex(4096);
    let agreed = Capabilities::DEPRECATE_EOF;
    let (figures, state) = (Arc::default(), Arc::default());
    let relay = Relay::new(client_side, server_side, agreed, figures, state);
    (client, server, relay)
}

/// Lets the relay run while `script` does, which plays the client and the server.
async fn meanwhile(
    relay: &mut Relay<DuplexStream, DuplexStream>,
    script: impl Future<Output = ()>,
) -> Option<Event> {
    tokio::select! {
        biased;
        event = relay.run() => Some(event),
        () = script => None,
    }
}

#[tokio::test]
async fn a_session_is_free_behind_its_commit_and_what_was_sent_ahead_goes_to_the_next_server() {
    let (mut client, mut server, mut relay) = not_running();
    let [begin, commit, next] =
        [&b"\x03BEGIN"[..], b"\x03COMMIT", b"\x03SELECT 1"].map(|command| frame(0, command));
    let begun = frame(1, &[0, 0, 0, 3, 0, 0, 0]);
    let script = async {
        client.write_all(&begin).await.expect("sent");
        expect(&mut server, &begin).await;
        server.write_all(&begun).await.expect("answered");
        expect(&mut client, &begun).await;
    };
    assert!(meanwhile(&mut relay, script).await.is_none());
    relay.stop_when_free(true);
    let script = async {
        client
            .write_all(&[commit.clone(), next.clone()].concat())
            .await
            .expect("sent");
        expect(&mut server, &commit).await;
        server.write_all(&ok()).await.expect("answered");
        std::future::pending::<()>().await;
    };
    let event = meanwhile(&mut relay, script).await;
    assert!(matches!(event, Some(Event::Free)), "{event:?}");
    expect(&mut client, &ok()).await;
    let (mut new, new_side) = duplex(4096);
    relay.stop_when_free(false);
    relay.continue_with(new_side, relay.agreed(), Arc::default());
    let script = expect(&mut new, &next);
    assert!(meanwhile(&mut relay, script).await.is_none());
    let mut rest = Vec::new();
    server.read_to_end(&mut rest).await.expect("closed");
    assert_eq!(rest, b"", "the old server got nothing more");
}

#[tokio::test]
async fn an_idle_session_is_free_at_once_and_one_with_an_open_cursor_is_not() {
    for (status, free) in [(0x02_u8, true), (0x42, false), (0xc2, true)] {
        let (mut client, mut server, mut relay) = not_running();
        let (fetch, end) = (
            frame(0, b"\x1c\x01\0\0\0\x01\0\0\0"),
            frame(1, &[0xfe, 0, 0, status, 0, 0, 0]),
        );
        let script = async {
            client.write_all(&fetch).await.expect("sent");
            expect(&mut server, &fetch).await;
            server.write_all(&end).await.expect("answered");
            expect(&mut client, &end).await;
        };
        assert!(meanwhile(&mut relay, script).await.is_none());
        relay.stop_when_free(true);
        let event = meanwhile(&mut relay, tokio::task::yield_now()).await;
        assert_eq!(
            matches!(event, Some(Event::Free)),
            free,
            "status {status:#x}"
        );
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn bytes_arrive_as_they_were_sent_however_they_are_cut(
        queries in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..300), 1..6),
        rows in prop::collection::vec(prop::collection::vec(1_u8..0xfb, 1..200), 0..20),
        room in 1_usize..70,
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        runtime.expect("a runtime").block_on(async {
            let mut sides = start(room);
            let mut answer = [frame(1, &[1]), frame(2, b"\x03def")].concat();
            answer.extend(rows.iter().flat_map(|row| frame(3, row)));
            answer.extend(frame(4, &[0xfe, 0, 0, 2, 0, 0, 0]));
            for query in &queries {
                let packet = frame(0, &[b"\x03/**/", query.as_slice()].concat());
                let (client, server) = (&mut sides.client, &mut sides.server);
                let asking = async {
                    client.write_all(&packet).await.expect("sent");
                    expect(client, &answer).await;
                };
                let answering = async {
                    expect(server, &packet).await;
                    server.write_all(&answer).await.expect("answered");
                };
                tokio::join!(asking, answering);
            }
            assert_eq!(sides.figures.commands.get(), queries.len() as u64);
            assert!(!sides.figures.busy.load(Relaxed));
        });
    }
}
