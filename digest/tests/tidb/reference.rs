//! TiDB's own normalizer and parser, in a Go process that answers records.

use std::io::{BufReader, BufWriter, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::OnceLock;

/// The process, asked in batches.
pub(crate) struct Reference {
    child: Child,
    input: Option<ChildStdin>,
    output: BufReader<ChildStdout>,
}

impl Reference {
    pub(crate) fn start(command: &str) -> Self {
        let mut child = Command::new(binary())
            .arg(command)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the reference starts");
        Self {
            input: child.stdin.take(),
            output: BufReader::new(child.stdout.take().unwrap()),
            child,
        }
    }

    /// `records` answers for each of the texts.
    pub(crate) fn ask(&mut self, texts: &[Vec<u8>], records: usize) -> Vec<Vec<u8>> {
        let input = self.input.as_mut().expect("not yet stopped");
        let output = &mut self.output;
        std::thread::scope(|scope| {
            scope.spawn(move || send(input, texts));
            (0..texts.len() * records)
                .map(|_| receive(output).expect("an answer"))
                .collect()
        })
    }
}

impl Drop for Reference {
    fn drop(&mut self) {
        self.input = None;
        self.child
            .wait()
            .expect("the reference ends with its input");
    }
}

/// Every text of TiDB's tests and of ours, read once.
pub(crate) fn corpus() -> &'static [Vec<u8>] {
    static CORPUS: OnceLock<Vec<Vec<u8>>> = OnceLock::new();
    CORPUS.get_or_init(read_corpus)
}

fn read_corpus() -> Vec<Vec<u8>> {
    let parser = module_directory("digest", "github.com/pingcap/tidb/pkg/parser");
    let server = module_directory("servers/tidb", "github.com/pingcap/tidb");
    let ours = integration().join("corpus");
    let output = Command::new(binary())
        .arg("corpus")
        .args([&parser, &server.join("pkg"), &server.join("tests"), &ours])
        .stderr(Stdio::inherit())
        .output()
        .expect("the corpus is read");
    assert!(output.status.success());
    let mut rest = output.stdout.as_slice();
    std::iter::from_fn(|| receive(&mut rest)).collect()
}

fn send(input: &mut ChildStdin, texts: &[Vec<u8>]) {
    let mut input = BufWriter::new(input);
    for text in texts {
        let length = u32::try_from(text.len()).unwrap();
        input.write_all(&length.to_be_bytes()).unwrap();
        input.write_all(text).unwrap();
    }
    input.flush().unwrap();
}

fn receive(output: &mut impl Read) -> Option<Vec<u8>> {
    let mut length = [0; 4];
    output.read_exact(&mut length).ok()?;
    let mut record = vec![0; u32::from_be_bytes(length) as usize];
    output.read_exact(&mut record).unwrap();
    Some(record)
}

fn integration() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../integration")
}

fn binary() -> &'static Path {
    static BINARY: OnceLock<PathBuf> = OnceLock::new();
    BINARY.get_or_init(|| {
        let binary = Path::new(env!("CARGO_TARGET_TMPDIR")).join("tidb-digest");
        let mut build = go("digest");
        build
            .args(["build", "-buildvcs=false", "-o"])
            .arg(&binary)
            .arg(".");
        assert!(build.status().expect("`go` is installed").success());
        binary
    })
}

/// Where the sources of a module are, fetched if they weren't.
fn module_directory(of: &str, module: &str) -> PathBuf {
    let fetched = go(of).args(["mod", "download", module]).status();
    assert!(fetched.expect("`go` is installed").success());
    let output = go(of)
        .args(["list", "-m", "-f", "{{.Dir}}", module])
        .output()
        .unwrap();
    PathBuf::from(String::from_utf8(output.stdout).unwrap().trim())
}

fn go(module: &str) -> Command {
    let mut go = Command::new("go");
    go.current_dir(integration().join(module))
        .env("GOFLAGS", "-p=2");
    go
}
