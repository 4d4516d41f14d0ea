//! The roles that a session has on. TiDB leaves them out of a session's state, so they are asked for
//! and set again.

use super::question::Asked;
use super::state::State;
use crate::obstacle::Obstacle;

/// The statement that sets what `CURRENT_ROLE()` has answered.
///
/// # Errors
/// When the answer can't be repeated.
pub fn statement(answer: &Asked, state: &State) -> Result<String, Obstacle> {
    let text = answer.first().and_then(Option::as_deref);
    let text = text.ok_or(Obstacle::State)?;
    state.check_encoding(text.is_ascii())?;
    let roles = String::from_utf8_lossy(text);
    if roles == "NONE" {
        return Ok("SET ROLE NONE".to_owned());
    }
    if is_list(&roles) {
        Ok(format!("SET ROLE {roles}"))
    } else {
        Err(Obstacle::Roles(roles.into_owned()))
    }
}

/// `` `role`@`host` ``, and more behind commas. TiDB escapes nothing, so that a name with a backquote
/// in it would be read as something else.
fn is_list(roles: &str) -> bool {
    let mut rest = roles;
    loop {
        let Some(behind) = quoted(rest)
            .and_then(|rest| rest.strip_prefix('@'))
            .and_then(quoted)
        else {
            return false;
        };
        match behind.strip_prefix(',') {
            Some(more) => rest = more,
            None => return behind.is_empty(),
        }
    }
}

fn quoted(text: &str) -> Option<&str> {
    let (_, rest) = text.strip_prefix('`')?.split_once('`')?;
    Some(rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_plain_lists_of_roles_are_repeated() {
        for plain in ["`r`@`%`", "`r`@`%`,`s s`@`10.0.0.1`", "``@``"] {
            assert!(is_list(plain), "{plain}");
        }
        for other in [
            "",
            "r",
            "`r`@%",
            "`r`@`%`,",
            "`r`@`%`; DROP TABLE t",
            "`r``@`%`",
            "`r`@`%` , `s`@`%`",
        ] {
            assert!(!is_list(other), "{other}");
        }
    }
}
