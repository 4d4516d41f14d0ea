//! The playground as a person or a script uses it: the real binary, its files and its signals.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use mesh_integration::endpoints::{Endpoints, path_in};
use mesh_integration::eventually::eventually;
use mesh_integration::sql::Session;
use mesh_integration::stack::StackPlan;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::runner::run;

/// What the playground promises once everything is built and bootstrapped.
const SECOND_START: Duration = Duration::from_secs(30);

/// Ends the playground even when a test fails; the playground's children end with it.
struct Playground {
    child: Child,
    dir: PathBuf,
}

impl Playground {
    fn start(dir: &Path, flags: &[&str]) -> Self {
        let log = std::fs::File::create(dir.with_extension("log")).unwrap();
        let child = command(dir, flags)
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .expect("starts");
        Self {
            child,
            dir: dir.to_path_buf(),
        }
    }

    async fn ready(&mut self) -> Endpoints {
        let limit = Duration::from_secs(600);
        let dir = self.dir.clone();
        let endpoints = eventually("endpoints.json", limit, || async { Endpoints::read(&dir) });
        endpoints
            .await
            .unwrap_or_else(|error| panic!("{error}: {}", self.log()))
    }

    fn log(&self) -> String {
        std::fs::read_to_string(self.dir.with_extension("log")).unwrap_or_default()
    }

    fn signal(&self, signal: Signal) {
        kill(
            Pid::from_raw(i32::try_from(self.child.id()).unwrap()),
            signal,
        )
        .unwrap();
    }

    async fn ended(&mut self) -> Option<i32> {
        let started = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status.code();
            }
            assert!(
                started.elapsed() < Duration::from_secs(40),
                "doesn't end: {}",
                self.log()
            );
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }
}

impl Drop for Playground {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn command(dir: &Path, flags: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_playground"));
    command
        .arg("--state-dir")
        .arg(dir)
        .args(flags)
        .stdin(Stdio::null());
    command
}

/// Every process whose command line names the directory.
fn processes_of(dir: &Path) -> Vec<i32> {
    let needle = format!("{}/", dir.display());
    let mut found = Vec::new();
    for entry in std::fs::read_dir("/proc").unwrap().flatten() {
        let Ok(pid) = entry.file_name().to_string_lossy().parse::<i32>() else {
            continue;
        };
        let line = std::fs::read(entry.path().join("cmdline")).unwrap_or_default();
        if String::from_utf8_lossy(&line).contains(&needle) {
            found.push(pid);
        }
    }
    found
}

#[test]
fn a_playground_runs_heals_stops_and_remembers() {
    run(async {
        let home = tempfile::tempdir().unwrap();
        let dir = home.path().join("state");
        let mut playground = Playground::start(&dir, &[]);
        let first = playground.ready().await;
        let names: Vec<&String> = first.tenants.keys().collect();
        assert_eq!(names, ["alpha", "beta"]);
        let front = first.mysql_proxy.as_ref().expect("the MySQL front");
        for name in first.tenants.keys() {
            let user = format!("{name}.root");
            let mut session = Session::connect_as(&front.mysql, &user, "").await.unwrap();
            session
                .execute("CREATE TABLE test.kept (who VARCHAR(9) PRIMARY KEY)")
                .await
                .unwrap();
            session
                .execute(&format!("INSERT INTO test.kept VALUES ('{name}')"))
                .await
                .unwrap();
        }
        a_second_one_is_refused(&dir);
        a_killed_child_comes_back(&dir, &first).await;
        playground.signal(Signal::SIGTERM);
        assert_eq!(playground.ended().await, Some(0));
        assert_eq!(processes_of(&dir), Vec::<i32>::new());
        assert!(!path_in(&dir).exists());
        let again = Instant::now();
        let mut playground = Playground::start(&dir, &[]);
        let second = playground.ready().await;
        let took = again.elapsed();
        println!("the second start took {:.1} s", took.as_secs_f64());
        assert!(took < SECOND_START, "the second start took {took:?}");
        for (name, tenant) in &second.tenants {
            assert_eq!(tenant.pd, first.tenants[name].pd);
            let mut session = Session::connect(&tenant.tidb[0].mysql).await.unwrap();
            assert_eq!(
                &session.value("SELECT who FROM test.kept").await.unwrap(),
                name
            );
        }
        playground.signal(Signal::SIGKILL);
        playground.ended().await;
        eventually("no process left", Duration::from_secs(5), || async {
            let left = processes_of(&dir);
            anyhow::ensure!(left.is_empty(), "{left:?}");
            Ok(())
        })
        .await
        .unwrap();
    });
}

fn a_second_one_is_refused(dir: &Path) {
    let second = command(dir, &["--fresh"]).output().unwrap();
    assert_eq!(second.status.code(), Some(1));
    let said = String::from_utf8_lossy(&second.stderr).into_owned();
    assert!(said.contains("another playground"), "{said}");
    assert!(path_in(dir).exists());
}

/// The gateway, then a TiDB: both are back with a new process id within two seconds.
async fn a_killed_child_comes_back(dir: &Path, first: &Endpoints) {
    let tidb = &first.tenants["alpha"].tidb[0];
    let front = first.mysql_proxy.as_ref().expect("the MySQL front");
    for victim in [first.gateway.pid, tidb.pid, front.pid] {
        kill(Pid::from_raw(victim), Signal::SIGKILL).unwrap();
        eventually("a new process id", Duration::from_secs(4), || async {
            let now = Endpoints::read(dir)?;
            let front = now.mysql_proxy.map_or(0, |front| front.pid);
            let pids = [now.gateway.pid, now.tenants["alpha"].tidb[0].pid, front];
            anyhow::ensure!(!pids.contains(&victim), "{pids:?}");
            Ok(())
        })
        .await
        .unwrap();
    }
    eventually("alpha's TiDB", Duration::from_secs(90), || async {
        let mut session = Session::connect(&tidb.mysql).await?;
        anyhow::ensure!(session.value("SELECT who FROM test.kept").await? == "alpha");
        Ok(())
    })
    .await
    .unwrap();
}

#[test]
fn an_existing_storage_is_used_and_left_alone() {
    run(async {
        let stack = StackPlan::new("external").start().await.expect("a storage");
        let home = tempfile::tempdir().unwrap();
        let dir = home.path().join("state");
        let pd = stack.storage.pd_address();
        let flags = [
            "--external-pd",
            &pd,
            "--tenants",
            "solo",
            "--no-tidb",
            "--mode",
            "auto",
        ];
        let mut playground = Playground::start(&dir, &flags);
        let endpoints = playground.ready().await;
        assert_eq!(endpoints.storage.pd, pd);
        assert_eq!(endpoints.storage.tikv, [stack.storage.tikv_address()]);
        assert_eq!(endpoints.tenants["solo"].mode, "table");
        assert!(endpoints.tenants["solo"].tidb.is_empty());
        assert_eq!(endpoints.mysql_proxy, None);
        playground.signal(Signal::SIGINT);
        assert_eq!(playground.ended().await, Some(0));
        assert!(stack.storage.pd.is_running());
        assert!(stack.storage.engine.is_running());
        stack.stop().await;
    });
}

#[test]
fn what_cannot_be_done_is_said() {
    let home = tempfile::tempdir().unwrap();
    for mode in ["keyspace", "prefix"] {
        let answer = command(&home.path().join("state"), &["--mode", mode])
            .output()
            .unwrap();
        assert_eq!(answer.status.code(), Some(2));
        assert!(String::from_utf8_lossy(&answer.stderr).contains(mode));
    }
    std::fs::write(home.path().join("precious"), "data").unwrap();
    let answer = command(home.path(), &["--fresh"]).output().unwrap();
    assert_eq!(answer.status.code(), Some(1));
    assert!(home.path().join("precious").exists());
}
