//! Loopback ports, in blocks. A block is owned by one harness process at a time (a lock file says
//! so) and lies below the range from which the kernel picks ports for outgoing connections, so a
//! server that is stopped finds its port free again when it is started.

use std::fs::{File, OpenOptions};
use std::net::TcpListener;
use std::path::PathBuf;

use anyhow::{Context as _, Result, bail};
use nix::fcntl::{Flock, FlockArg};
use rand::seq::SliceRandom as _;

/// Ports in a test's block: a storage, a gateway, its tenants' ports and some TiDB servers.
pub const TEST_BLOCK: u16 = 100;
/// Ports in a playground's block, which may have many tenants.
pub const PLAYGROUND_BLOCK: u16 = 250;
const FIRST: u16 = 14_000;
/// Blocks from here on are the playgrounds', which want the same ports at every start.
const PLAYGROUND_FIRST: u16 = 27_000;
const END: u16 = 32_000;

/// Who asks for a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// Tests and benchmarks: any block will do.
    Test,
    /// The playground: a block that is remembered between runs.
    Playground,
}

impl Purpose {
    fn block_size(self) -> u16 {
        match self {
            Self::Test => TEST_BLOCK,
            Self::Playground => PLAYGROUND_BLOCK,
        }
    }
}

/// A block of ports owned by this process until it is dropped.
#[derive(Debug)]
pub struct PortBlock {
    first: u16,
    next: u16,
    end: u16,
    _lock: Flock<File>,
}

impl PortBlock {
    /// Takes a block that nobody owns and in which every port is free.
    ///
    /// # Errors
    /// When no block is left.
    pub fn take(purpose: Purpose) -> Result<Self> {
        let (from, to) = match purpose {
            Purpose::Test => (FIRST, PLAYGROUND_FIRST),
            Purpose::Playground => (PLAYGROUND_FIRST, END),
        };
        let size = purpose.block_size();
        let mut firsts: Vec<u16> = (from..to).step_by(usize::from(size)).collect();
        firsts.shuffle(&mut rand::rng());
        for first in firsts {
            if let Ok(block) = Self::take_at(purpose, first) {
                return Ok(block);
            }
        }
        bail!("no free block of {size} loopback ports between {from} and {to}")
    }

    /// Takes the block that starts at `first`.
    ///
    /// # Errors
    /// When another process owns the block, or one of its ports is in use.
    pub fn take_at(purpose: Purpose, first: u16) -> Result<Self> {
        let lock = lock_block(first)?;
        let end = first.saturating_add(purpose.block_size());
        for port in first..end {
            TcpListener::bind(("127.0.0.1", port))
                .with_context(|| format!("port {port} on loopback is in use"))?;
        }
        Ok(Self {
            first,
            next: first,
            end,
            _lock: lock,
        })
    }

    /// The first port of the block; it names the block.
    #[must_use]
    pub fn first(&self) -> u16 {
        self.first
    }

    /// The next port nobody was given yet.
    ///
    /// # Errors
    /// When the block is used up.
    pub fn port(&mut self) -> Result<u16> {
        self.range(1).map(|(first, _)| first)
    }

    /// The last port that nobody was given yet: for what came later than the layout of the first
    /// ports, which is remembered between runs.
    ///
    /// # Errors
    /// When the block is used up.
    pub fn port_from_end(&mut self) -> Result<u16> {
        if self.next >= self.end {
            bail!("the block of ports from {} is used up", self.first);
        }
        self.end -= 1;
        Ok(self.end)
    }

    /// The next `count` ports as first and last.
    ///
    /// # Errors
    /// When the block is used up.
    pub fn range(&mut self, count: u16) -> Result<(u16, u16)> {
        let first = self.next;
        let end = first.saturating_add(count);
        if end > self.end {
            bail!("the block of ports from {} is used up", self.first);
        }
        self.next = end;
        Ok((first, end.saturating_sub(1)))
    }
}

/// Locks live beside each other for all checkouts of a user on this machine.
fn lock_block(first: u16) -> Result<Flock<File>> {
    let dir = lock_dir();
    std::fs::create_dir_all(&dir)?;
    let path = dir.join(format!("{first}.lock"));
    let file = OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .open(&path)?;
    Flock::lock(file, FlockArg::LockExclusiveNonblock)
        .map_err(|(_, errno)| anyhow::anyhow!("block {first} is owned by another process: {errno}"))
}

fn lock_dir() -> PathBuf {
    std::env::temp_dir().join(format!("tidb-mesh-ports-{}", nix::unistd::getuid()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_has_one_owner() {
        let block = PortBlock::take(Purpose::Test).expect("a free block");
        assert!(PortBlock::take_at(Purpose::Test, block.first()).is_err());
        let first = block.first();
        drop(block);
        drop(PortBlock::take_at(Purpose::Test, first).expect("free again"));
    }

    #[test]
    fn a_block_ends() {
        let mut block = PortBlock::take(Purpose::Test).expect("a free block");
        let (first, last) = block.range(TEST_BLOCK - 1).expect("fits");
        assert_eq!(last - first, TEST_BLOCK - 2);
        block.port().expect("one more");
        assert!(block.port().is_err());
    }
}
