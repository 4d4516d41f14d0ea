//! Clients that mean no good, or know no better.

use std::time::Duration;

use mesh_integration::sql::Session;
use mesh_mysql_proxy::packet::capability::Capabilities;
use mesh_mysql_proxy::packet::login::Login;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;

use super::raw::Raw;
use super::{address, front, stack};
use crate::runner::run;

fn login() -> Login {
    Login {
        capabilities: Capabilities::RELAYED,
        max_packet: 1 << 24,
        collation: 46,
        user: b"alpha.root".to_vec(),
        auth: Vec::new(),
        schema: Vec::new(),
        plugin: b"mysql_native_password".to_vec(),
        attributes: Vec::new(),
    }
}

async fn others_go_on() {
    let mut other = Session::connect_as(&address().await, "alpha.root", "")
        .await
        .unwrap();
    other.execute("DO 1").await.expect("others go on");
}

/// Sends bytes in the place of a login, and gives the error's number and text.
async fn answer_to(bytes: &[u8]) -> (u16, String) {
    let mut raw = Raw::greeted(&address().await).await;
    raw.stream.write_all(bytes).await.expect("sent");
    let (_, payload) = raw.packet().await.expect("an answer");
    assert_eq!(payload[0], 0xff, "{payload:?}");
    assert!(raw.packet().await.is_none(), "the connection must end");
    let text = String::from_utf8_lossy(&payload[9..]).into_owned();
    (u16::from_le_bytes([payload[1], payload[2]]), text)
}

#[test]
fn what_is_no_login_is_answered_with_an_error_that_says_why() {
    run(async {
        let (code, text) = answer_to(&[0xff, 0xff, 0xff, 1]).await;
        assert_eq!((code, text.contains("too long")), (1153, true), "{text}");
        let (code, text) = answer_to(&[5, 0, 0, 9]).await;
        assert_eq!(
            (code, text.contains("out of order")),
            (1156, true),
            "{text}"
        );
        let (code, text) = answer_to(b"\x05\0\0\x01short").await;
        assert_eq!(
            (code, text.contains("can't be read")),
            (1043, true),
            "{text}"
        );
        // An HTTP request: its first letters are a length of 5,522,759 and the number 32.
        let (code, _) = answer_to(b"GET / HTTP/1.1\r\n\r\n").await;
        assert_eq!(code, 1156);
        others_go_on().await;
    });
}

#[test]
fn clients_that_cannot_be_relayed_or_must_not_be_are_told_so() {
    run(async {
        let mut old = login();
        old.capabilities = Capabilities::PROTOCOL_41 | Capabilities::SECURE_CONNECTION;
        let payload = mesh_mysql_proxy::packet::frame(1, &old.payload());
        assert_eq!(answer_to(&payload).await.0, 1251);
        let mut thief = login();
        thief.plugin = b"tidb_session_token".to_vec();
        thief.auth = b"{}".to_vec();
        let payload = mesh_mysql_proxy::packet::frame(1, &thief.payload());
        let (code, text) = answer_to(&payload).await;
        assert_eq!((code, text.contains("token")), (1045, true), "{text}");
    });
}

#[test]
fn silent_and_half_logins_end_in_time_and_disturb_nobody() {
    run(async {
        let address = address().await;
        let mut silent = Vec::new();
        for _ in 0..300 {
            silent.push(TcpStream::connect(&address).await.expect("connects"));
        }
        let mut half = Raw::greeted(&address).await;
        half.stream
            .write_all(b"\x50\0\0\x01\x85\xa6")
            .await
            .expect("sent");
        others_go_on().await;
        let (_, payload) = tokio::time::timeout(Duration::from_secs(15), half.packet())
            .await
            .expect("the login's time is up")
            .expect("an error");
        assert_eq!(u16::from_le_bytes([payload[1], payload[2]]), 1159);
        drop(silent);
        others_go_on().await;
    });
}

#[test]
fn a_break_in_the_sequence_ends_the_session_as_the_server_ends_it() {
    run(async {
        let mut raw = Raw::login(&address().await, "alpha.root", Capabilities::NONE).await;
        raw.send(7, b"\x0e").await;
        assert_eq!(raw.soon().await, "end");
        others_go_on().await;
    });
}

#[test]
fn bytes_of_any_kind_after_a_login_harm_nobody_else() {
    run(async {
        let mut dice = 0x2545_f491_u32;
        for _ in 0..60 {
            let mut raw = Raw::login(&address().await, "alpha.root", Capabilities::NONE).await;
            let noise: Vec<u8> = std::iter::repeat_with(|| {
                dice = dice.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                (dice >> 24) as u8
            })
            .take(2000)
            .collect();
            let _ = raw.stream.write_all(&noise).await;
        }
        others_go_on().await;
        assert!(front(stack().await).process.is_running());
    });
}
