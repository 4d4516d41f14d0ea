//! The proxies one would put in place of the gateway. Each listens on the address that the peers'
//! store advertises, one at a time, and passes everything through to the engine.
//!
//! They are set up to their advantage: no access log, no limits that cut long streams, upstream
//! connections kept, all cores.

use std::path::Path;

use anyhow::{Result, bail};

use crate::bench::PathName;
use crate::bench::packages::{HAPROXY, NGINX};
use crate::endpoints::write_atomically;
use crate::process::{GRACE, Process, ProcessSpec};

/// A running peer.
#[derive(Debug)]
pub(super) struct Peer {
    pub(super) path: PathName,
    pub(super) process: Process,
}

impl Peer {
    /// Starts the proxy of `path` on port `listen`, in front of port `engine`.
    pub(super) fn start(path: PathName, dir: &Path, listen: u16, engine: u16) -> Result<Self> {
        let name = path.name();
        let config = dir.join(format!("{name}.conf"));
        let (program, text, args) = match path {
            PathName::Nginx => {
                let args = vec!["-c".into(), config.clone().into(), "-p".into(), dir.into()];
                (NGINX.find()?, nginx(listen, engine), args)
            }
            PathName::HaproxyH2 | PathName::HaproxyTcp => {
                let text = haproxy(path, listen, engine);
                (
                    HAPROXY.find()?,
                    text,
                    vec!["-db".into(), "-f".into(), config.clone().into()],
                )
            }
            PathName::Direct | PathName::Ours => bail!("{name} is no peer"),
        };
        write_atomically(&config, text.as_bytes())?;
        let log = dir.join(format!("{name}.log"));
        let process = Process::start(ProcessSpec {
            name: name.to_owned(),
            program,
            args,
            log,
        })?;
        Ok(Self { path, process })
    }

    pub(super) async fn stop(&self) {
        self.process.stop(GRACE).await;
    }
}

fn nginx(listen: u16, engine: u16) -> String {
    format!(
        "daemon off;
worker_processes auto;
pid nginx.pid;
error_log stderr warn;
events {{ worker_connections 4096; }}
http {{
  access_log off;
  client_body_temp_path nginx-body;
  proxy_temp_path nginx-proxy;
  fastcgi_temp_path nginx-fastcgi;
  uwsgi_temp_path nginx-uwsgi;
  scgi_temp_path nginx-scgi;
  client_max_body_size 0;
  client_body_timeout 1h;
  keepalive_timeout 1h;
  keepalive_requests 100000000;
  http2_max_concurrent_streams 4096;
  upstream engine {{
    server 127.0.0.1:{engine};
    keepalive 64;
    keepalive_timeout 1h;
    keepalive_requests 100000000;
  }}
  server {{
    listen 127.0.0.1:{listen} http2;
    location / {{
      grpc_pass grpc://engine;
      grpc_buffer_size 64k;
      grpc_read_timeout 1h;
      grpc_send_timeout 1h;
    }}
  }}
}}
"
    )
}

fn haproxy(path: PathName, listen: u16, engine: u16) -> String {
    let (mode, proto) = match path {
        PathName::HaproxyH2 => ("http", " proto h2"),
        _ => ("tcp", ""),
    };
    format!(
        "global
  maxconn 4096
  tune.h2.max-concurrent-streams 4096
  tune.h2.initial-window-size 1048576
defaults
  mode {mode}
  timeout connect 5s
  timeout client 1h
  timeout server 1h
  timeout tunnel 1h
frontend store
  bind 127.0.0.1:{listen}{proto}
  default_backend engine
backend engine
  server engine 127.0.0.1:{engine}{proto}
"
    )
}
