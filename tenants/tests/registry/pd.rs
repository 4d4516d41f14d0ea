//! A real PD for a test: own directory, free ports, killed at the end.

use std::fs::File;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use mesh_tenants::EtcdClient;

const START_TIMEOUT: Duration = Duration::from_secs(60);

pub struct Pd {
    dir: tempfile::TempDir,
    client_port: u16,
    peer_port: u16,
    process: Child,
}

impl Pd {
    pub async fn start() -> Pd {
        let dir = tempfile::tempdir().unwrap();
        let (client_port, peer_port) = (free_port(), free_port());
        let process = spawn(dir.path(), client_port, peer_port);
        let pd = Pd {
            dir,
            client_port,
            peer_port,
            process,
        };
        pd.wait().await;
        pd
    }

    pub fn endpoint(&self) -> String {
        format!("127.0.0.1:{}", self.client_port)
    }

    /// Kills PD and starts it again on the same ports; `wipe` takes its data away in between.
    pub async fn restart(&mut self, wipe: bool) {
        self.kill();
        if wipe {
            std::fs::remove_dir_all(self.dir.path().join("data")).unwrap();
        }
        self.start_again().await;
    }

    pub fn kill(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }

    pub async fn start_again(&mut self) {
        self.process = spawn(self.dir.path(), self.client_port, self.peer_port);
        self.wait().await;
    }

    /// Until etcd has a leader and takes writes.
    async fn wait(&self) {
        let deadline = Instant::now() + START_TIMEOUT;
        loop {
            let error = match EtcdClient::connect(&[self.endpoint()]).await {
                Ok(client) => match client.put("/probe", "", 0).await {
                    Ok(_) => return,
                    Err(error) => error,
                },
                Err(error) => error,
            };
            let log = self.dir.path().join("pd.log");
            assert!(
                Instant::now() < deadline,
                "PD does not start: {error}; see {log:?}"
            );
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }
}

impl Drop for Pd {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn spawn(dir: &Path, client_port: u16, peer_port: u16) -> Child {
    let output = File::create(dir.join("pd.out")).unwrap();
    Command::new(binary())
        .arg("--name=pd1")
        .arg(format!("--data-dir={}", dir.join("data").display()))
        .arg(format!("--client-urls=http://127.0.0.1:{client_port}"))
        .arg(format!("--peer-urls=http://127.0.0.1:{peer_port}"))
        .arg(format!("--log-file={}", dir.join("pd.log").display()))
        .stdin(Stdio::null())
        .stdout(output.try_clone().unwrap())
        .stderr(output)
        .spawn()
        .unwrap()
}

fn binary() -> PathBuf {
    let bin = std::env::var_os("MESH_SERVERS_BIN").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/servers/bin"),
        PathBuf::from,
    );
    let pd = bin.join("pd-server");
    assert!(pd.exists(), "no pd-server at {}", pd.display());
    pd
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port()
}
