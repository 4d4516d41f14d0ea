//! The one thread that starts children.
//!
//! Linux ties a child's "parent died" signal to the *thread* that forked it, so children forked by
//! a test's or a runtime's short-lived thread would be killed when that thread ends. This thread
//! lives as long as the process; when the process ends in whatever way, its children are killed.

use std::io;
use std::os::unix::process::CommandExt as _;
use std::process::{Child, Command};
use std::sync::LazyLock;
use std::sync::mpsc::{Receiver, Sender, channel};

use nix::sys::prctl;
use nix::sys::signal::Signal;
use nix::unistd::{Pid, getpid, getppid};

type Order = (Command, Sender<io::Result<Child>>);

static ORDERS: LazyLock<Sender<Order>> = LazyLock::new(|| {
    let (orders, inbox) = channel();
    // A failure to start the thread closes the channel, and every spawn then reports it.
    let _ = std::thread::Builder::new()
        .name("nursery".to_owned())
        .spawn(move || serve(&inbox));
    orders
});

/// Starts a child in a process group of its own that can't outlive this process.
///
/// # Errors
/// When the program can't be started.
pub(crate) fn spawn(command: Command) -> io::Result<Child> {
    let (answer, result) = channel();
    ORDERS.send((command, answer)).map_err(|_| gone())?;
    result.recv().map_err(|_| gone())?
}

fn gone() -> io::Error {
    io::Error::other("the thread that starts children is gone")
}

fn serve(inbox: &Receiver<Order>) {
    while let Ok((mut command, answer)) = inbox.recv() {
        let _ = answer.send(tie_to_parent(&mut command).spawn());
    }
}

fn tie_to_parent(command: &mut Command) -> &mut Command {
    let parent = getpid();
    command.process_group(0);
    // SAFETY: between fork and exec the closure makes two system calls and touches no memory that
    // another thread could hold locked.
    unsafe { command.pre_exec(move || die_with(parent)) }
}

fn die_with(parent: Pid) -> io::Result<()> {
    prctl::set_pdeathsig(Some(Signal::SIGKILL))?;
    // The parent may have died before the line above took effect.
    if getppid() == parent {
        Ok(())
    } else {
        Err(io::Error::from_raw_os_error(libc::ESRCH))
    }
}
