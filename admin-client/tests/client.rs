//! The client against servers that are not, or not quite, a gateway.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    missing_docs
)]

use std::io::Write;

use mesh_admin_client::{AdminClient, ClientError, ErrorCode, read_token};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

/// Answers every connection with fixed bytes and hands out what the last client sent.
async fn server(answer: &'static str) -> (String, tokio::sync::watch::Receiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let (sent, seen) = tokio::sync::watch::channel(String::new());
    tokio::spawn(async move {
        loop {
            let (mut client, _) = listener.accept().await.unwrap();
            let mut request = vec![0; 8192];
            let length = client.read(&mut request).await.unwrap();
            let _ = sent.send(String::from_utf8_lossy(&request[..length]).into_owned());
            let _ = client.write_all(answer.as_bytes()).await;
        }
    });
    (address, seen)
}

async fn list(answer: &'static str) -> Result<usize, ClientError> {
    let (address, _) = server(answer).await;
    let client = AdminClient::new(&address, None).unwrap();
    client.list().await.map(|tenants| tenants.len())
}

#[tokio::test]
async fn answers_that_are_not_the_apis_are_told_apart() {
    for answer in [
        "",
        "SSH-2.0-OpenSSH_9.2\r\n",
        "HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\n[]",
        "HTTP/1.1 200 OK\r\ncontent-length: 900\r\nconnection: close\r\n\r\n{\"tenants\"",
        "HTTP/1.1 502 Bad Gateway\r\ncontent-length: 4\r\nconnection: close\r\n\r\noops",
        "HTTP/1.1 307 Go\r\nlocation: http://127.0.0.1:1/\r\ncontent-length: 0\r\n\r\n",
    ] {
        let error = list(answer).await.unwrap_err();
        assert!(
            matches!(error, ClientError::NotTheApi { .. }),
            "{answer:?}: {error:?}"
        );
    }
}

#[tokio::test]
async fn a_newer_gateways_answers_are_understood_as_far_as_they_go() {
    let known = list(
        "HTTP/1.1 200 OK\r\ncontent-length: 23\r\nconnection: close\r\n\r\n\
         {\"tenants\":[],\"next\":1}",
    );
    assert_eq!(known.await.unwrap(), 0);
    let error = list(
        "HTTP/1.1 418 Teapot\r\ncontent-length: 49\r\nconnection: close\r\n\r\n\
         {\"error\":{\"code\":\"teapot\",\"message\":\"no coffee\"}}",
    );
    match error.await.unwrap_err() {
        ClientError::Refused {
            status: 418,
            code: ErrorCode::Unknown,
            message,
        } => {
            assert_eq!(message, "no coffee");
        }
        other => panic!("{other:?}"),
    }
}

/// Whatever a name holds, it stays one segment of the path and never becomes another request.
#[tokio::test]
async fn a_name_is_one_segment_of_the_path() {
    let (address, seen) = server("").await;
    let client = AdminClient::new(&address, Some("0123456789abcdef".to_owned())).unwrap();
    for (name, path) in [
        ("alpha", "alpha"),
        ("a/../b", "a%2F..%2Fb"),
        ("a?b#c", "a%3Fb%23c"),
        ("a b\r\nx: y", "a%20b%0D%0Ax%3A%20y"),
        ("%2e%2e", "%252e%252e"),
    ] {
        let _ = client.get(name).await;
        let request = seen.borrow().clone();
        assert!(
            request.starts_with(&format!("GET /v1/tenants/{path} HTTP/1.1\r\n")),
            "{request}"
        );
        assert!(
            request.contains("authorization: Bearer 0123456789abcdef\r\n"),
            "{request}"
        );
    }
    for nothing in ["", ".", ".."] {
        assert!(matches!(
            client.delete(nothing).await,
            Err(ClientError::NotFound(_))
        ));
    }
}

#[test]
fn an_address_is_a_host_and_a_port() {
    for good in [
        "127.0.0.1:1",
        "localhost:80",
        "http://[::1]:9",
        "http://gateway:1/",
    ] {
        assert!(AdminClient::new(good, None).is_ok(), "{good}");
    }
    for bad in ["", "https://h:1", "h:1/path", "h:1?q", "h:port", "unix:/x"] {
        let result = AdminClient::new(bad, None).map(|_| ());
        assert!(
            matches!(result, Err(ClientError::BadAddress { .. })),
            "{bad}"
        );
    }
}

#[test]
fn a_token_is_one_word_and_is_never_shown() {
    let read = |content: &[u8]| {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(content).unwrap();
        read_token(file.path())
    };
    assert_eq!(read(b"  secret-word \n").unwrap(), "secret-word");
    for bad in [
        &b""[..],
        b"\n",
        b"secret word",
        b"secret\nword",
        b"secret\xffword",
        "sécret".as_bytes(),
    ] {
        let error = read(bad).unwrap_err();
        assert!(!error.to_string().contains("cret"), "{error}");
    }
}
