//! A PD of a test's own, without stores: it can be killed, started again and set back to nothing.

use std::path::PathBuf;
use std::time::Duration;

use mesh_integration::eventually::eventually;
use mesh_integration::layout::new_run_dir;
use mesh_integration::ports::{PortBlock, Purpose};
use mesh_integration::process::{Process, ProcessSpec};
use mesh_integration::progress::Progress;
use mesh_integration::servers::Servers;
use mesh_tenants::EtcdClient;

const START_LIMIT: Duration = Duration::from_secs(120);

pub struct Pd {
    data: PathBuf,
    client_port: u16,
    process: Process,
    _ports: PortBlock,
}

impl Pd {
    pub async fn start() -> Pd {
        let servers = Servers::build(&Progress::hidden()).await.unwrap();
        let dir = new_run_dir("registry").unwrap();
        let mut ports = PortBlock::take(Purpose::Test).unwrap();
        let (client_port, peer_port) = (ports.port().unwrap(), ports.port().unwrap());
        // Tests of this binary run at once and their directories may share a second.
        let data = dir.join(format!("pd-{client_port}"));
        let args = [
            "--name=pd1".to_owned(),
            format!("--data-dir={}", data.display()),
            format!("--client-urls=http://127.0.0.1:{client_port}"),
            format!("--peer-urls=http://127.0.0.1:{peer_port}"),
            format!("--log-file={}.log", data.display()),
        ];
        let process = Process::start(ProcessSpec {
            name: "PD".to_owned(),
            program: servers.pd,
            args: args.into_iter().map(Into::into).collect(),
            log: data.with_extension("out"),
        });
        let process = process.unwrap();
        let pd = Pd {
            data,
            client_port,
            process,
            _ports: ports,
        };
        pd.until_writable().await;
        pd
    }

    pub fn endpoint(&self) -> String {
        format!("127.0.0.1:{}", self.client_port)
    }

    pub async fn kill(&self) {
        self.process.kill().await;
    }

    pub async fn start_again(&self) {
        self.process.start_again().unwrap();
        self.until_writable().await;
    }

    /// Takes everything PD ever knew away, as a restore to an earlier time would.
    pub async fn set_back(&self) {
        self.kill().await;
        std::fs::remove_dir_all(&self.data).unwrap();
        self.start_again().await;
    }

    async fn until_writable(&self) {
        let written = eventually("PD's etcd takes writes", START_LIMIT, async || {
            let client = EtcdClient::connect(&[self.endpoint()]).await?;
            Ok(client.put("/probe", "", 0).await?)
        });
        written.await.unwrap();
    }
}
