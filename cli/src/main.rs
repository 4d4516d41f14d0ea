//! `tidb-mesh`: the tenant and admin command line.
//!
//! It speaks the gateway's admin API and nothing else. What must stay true: results go to standard
//! output and nothing else does, so that scripts can read them; the exit code tells success (0),
//! a failed call (1) and a command that can't be meant (2); the token comes from a file, never
//! from an argument, which any user of the machine could read.

mod arguments;
mod confirm;
mod output;
mod run;

use std::io::Write;
use std::process::ExitCode;

use clap::{CommandFactory, Parser};

use arguments::{Arguments, Command};
use run::Failure;

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    if let Command::Completion { shell } = arguments.command {
        return complete(shell);
    }
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    let outcome = match runtime {
        Ok(runtime) => runtime.block_on(run::run(&arguments)),
        Err(error) => Err(Failure::Io(error)),
    };
    finish(outcome)
}

fn complete(shell: clap_complete::Shell) -> ExitCode {
    // Through a buffer: clap_complete panics when a pipe is closed early.
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Arguments::command(), "tidb-mesh", &mut script);
    finish(
        String::from_utf8(script).map_err(|error| {
            Failure::Io(std::io::Error::new(std::io::ErrorKind::InvalidData, error))
        }),
    )
}

/// Prints a result or an error and turns it into the exit code.
fn finish(outcome: Result<String, Failure>) -> ExitCode {
    let outcome = outcome.and_then(|text| {
        let mut out = std::io::stdout().lock();
        out.write_all(text.as_bytes())
            .and_then(|()| out.flush())
            .map_err(Failure::Io)
    });
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        // Whoever closed the pipe has read all it wanted.
        Err(Failure::Io(error)) if error.kind() == std::io::ErrorKind::BrokenPipe => {
            ExitCode::SUCCESS
        }
        Err(failure) => {
            // Standard error may be closed too; the exit code still tells.
            let _ = writeln!(std::io::stderr(), "error: {failure}");
            ExitCode::from(failure.exit_code())
        }
    }
}
