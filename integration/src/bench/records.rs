//! JSON lines: one per round and path, in `target/bench/<name>.jsonl`. A run replaces the last
//! one's file. Each line is written out at once, so an aborted run keeps what it measured.

use std::fs::File;
use std::io::Write as _;
use std::path::PathBuf;

use anyhow::{Context as _, Result};
use serde::Serialize;

use crate::layout;

/// The file of one run.
#[derive(Debug)]
pub(super) struct Records {
    file: File,
    path: PathBuf,
    echoed: bool,
}

impl Records {
    /// Begins the file of benchmark `name`; `echoed` also prints every line.
    pub(super) fn begin(name: &str, echoed: bool) -> Result<Self> {
        let dir = layout::target_dir()?.join("bench");
        std::fs::create_dir_all(&dir)?;
        let path = dir.join(format!("{name}.jsonl"));
        let file =
            File::create(&path).with_context(|| format!("cannot write {}", path.display()))?;
        Ok(Self { file, path, echoed })
    }

    /// Writes one line.
    pub(super) fn write(&mut self, record: &impl Serialize) -> Result<()> {
        let line = serde_json::to_string(record)?;
        writeln!(self.file, "{line}")?;
        if self.echoed {
            println!("{line}");
        }
        Ok(())
    }

    /// Tells where the lines are.
    pub(super) fn path(&self) -> &std::path::Path {
        &self.path
    }
}

/// Rounds for reading: figures here aren't good to more digits.
pub(super) fn to_digits(figure: f64, digits: i32) -> f64 {
    let scale = 10_f64.powi(digits);
    (figure * scale).round() / scale
}
