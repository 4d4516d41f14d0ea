//! Asking before data is lost.

use std::io::{BufRead, IsTerminal, Write};

/// Why a deletion does not take place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum NotConfirmed {
    /// Nobody can be asked.
    #[error("deleting a tenant destroys its data: confirm with --yes")]
    NoTerminal,
    /// The answer was not the tenant's name.
    #[error("not confirmed; nothing is deleted")]
    Declined,
}

/// Asks on the terminal.
///
/// # Errors
/// [`NotConfirmed`].
pub(crate) fn deletion(name: &str) -> Result<(), NotConfirmed> {
    let input = std::io::stdin();
    if !input.is_terminal() {
        return Err(NotConfirmed::NoTerminal);
    }
    ask(name, &mut input.lock(), &mut std::io::stderr())
}

/// The name has to be typed: a reflex "y" deletes nothing.
fn ask(
    name: &str,
    answers: &mut impl BufRead,
    questions: &mut impl Write,
) -> Result<(), NotConfirmed> {
    let asked = write!(
        questions,
        "This destroys all data of tenant {name}. Type its name: "
    )
    .and_then(|()| questions.flush());
    let mut answer = String::new();
    let read = answers.read_line(&mut answer);
    match (asked, read) {
        (Ok(()), Ok(_)) if answer.trim() == name => Ok(()),
        _ => Err(NotConfirmed::Declined),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_name_confirms() {
        let answer = |text: &str| ask("alpha", &mut text.as_bytes(), &mut Vec::new());
        assert_eq!(answer("alpha\n"), Ok(()));
        assert_eq!(answer("  alpha"), Ok(()));
        for no in ["", "\n", "y\n", "yes\n", "beta\n", "Alpha\n"] {
            assert_eq!(answer(no), Err(NotConfirmed::Declined), "{no:?}");
        }
    }
}
