//! A client made of bare packets, for what drivers don't do.

use std::time::Duration;

use mesh_mysql_proxy::packet::capability::Capabilities;
use mesh_mysql_proxy::packet::greeting::Greeting;
use mesh_mysql_proxy::packet::login::Login;
use mesh_mysql_proxy::packet::{frame, parse_header};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;

const PATIENCE: Duration = Duration::from_secs(20);

pub(super) struct Raw {
    pub(super) stream: TcpStream,
    pub(super) greeting: Greeting,
}

impl Raw {
    /// Connects and reads the greeting.
    pub(super) async fn greeted(address: &str) -> Raw {
        let mut stream = TcpStream::connect(address).await.expect("connects");
        let greeting = read_packet(&mut stream).await.expect("a greeting");
        let greeting = Greeting::parse(&greeting.1).expect("a greeting");
        Raw { stream, greeting }
    }

    /// Logs in a user without a password.
    pub(super) async fn login(address: &str, user: &str, without: Capabilities) -> Raw {
        let mut raw = Raw::greeted(address).await;
        let capabilities = Capabilities::RELAYED & raw.greeting.capabilities;
        let capabilities = capabilities
            .without(without)
            .without(Capabilities::CONNECT_WITH_DB);
        let login = Raw::login_of(user, capabilities);
        raw.send(1, &login.payload()).await;
        loop {
            let (sequence, payload) = raw.packet().await.expect("an answer");
            match payload.first() {
                Some(0x00) => return raw,
                Some(0xfe) => raw.send(sequence + 1, &[]).await,
                other => panic!("{other:?}: {}", String::from_utf8_lossy(&payload)),
            }
        }
    }

    /// A login without a password and without a schema.
    pub(super) fn login_of(user: &str, capabilities: Capabilities) -> Login {
        Login {
            capabilities,
            max_packet: 1 << 24,
            collation: 46,
            user: user.as_bytes().to_vec(),
            auth: Vec::new(),
            schema: Vec::new(),
            plugin: b"mysql_native_password".to_vec(),
            attributes: Vec::new(),
        }
    }

    pub(super) async fn send(&mut self, sequence: u8, payload: &[u8]) {
        self.stream
            .write_all(&frame(sequence, payload))
            .await
            .expect("sent");
    }

    /// The next packet; `None` at the end of the stream.
    pub(super) async fn packet(&mut self) -> Option<(u8, Vec<u8>)> {
        read_packet(&mut self.stream).await
    }

    /// What comes within a short time: a packet, the end, or nothing.
    pub(super) async fn soon(&mut self) -> String {
        match timeout(Duration::from_secs(3), self.packet()).await {
            Ok(Some((sequence, payload))) => format!("{sequence} {}", payload.escape_ascii()),
            Ok(None) => "end".to_owned(),
            Err(_) => "nothing".to_owned(),
        }
    }
}

async fn read_packet(stream: &mut TcpStream) -> Option<(u8, Vec<u8>)> {
    let reading = async {
        let mut header = [0; 4];
        stream.read_exact(&mut header).await.ok()?;
        let (length, sequence) = parse_header(header);
        let mut payload = vec![0; length];
        stream.read_exact(&mut payload).await.ok()?;
        Some((sequence, payload))
    };
    timeout(PATIENCE, reading).await.expect("an answer in time")
}
