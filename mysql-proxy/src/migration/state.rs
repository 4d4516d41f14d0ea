//! A session's state as TiDB shows it: JSON that is handed on. Only a few of its fields are looked at.

use serde_json::{Map, Value};

use super::question::Asked;
use crate::obstacle::Obstacle;

/// Fields that questions of the proxy don't change.
const LASTING: [&str; 5] = [
    "user-var-values",
    "user-var-types",
    "sys-vars",
    "prepared-stmts",
    "bindings",
];

/// Variables that another one sets along, and would undo: TiDB sets variables in no order, and a
/// character set brings its default collation with it, while a collation brings its character set.
const IMPLIED: [(&str, &str); 3] = [
    ("character_set_connection", "collation_connection"),
    ("character_set_database", "collation_database"),
    ("character_set_server", "collation_server"),
];

/// A session's state, and the token that lets its user in elsewhere.
pub struct State {
    fields: Map<String, Value>,
    ascii: bool,
    token: Option<Vec<u8>>,
}

impl std::fmt::Debug for State {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("State").finish_non_exhaustive()
    }
}

impl State {
    /// From the row of `SHOW SESSION_STATES`.
    ///
    /// # Errors
    /// [`Obstacle::State`].
    pub fn read(row: &Asked) -> Result<State, Obstacle> {
        let [Some(json), token] = row.as_slice() else {
            return Err(Obstacle::State);
        };
        let text = String::from_utf8_lossy(json);
        Ok(State {
            fields: serde_json::from_str(&text).map_err(|_| Obstacle::State)?,
            ascii: json.is_ascii(),
            token: token.clone(),
        })
    }

    /// The token, as a login takes it. A secret.
    ///
    /// # Errors
    /// [`Obstacle::NoToken`], and that of a state that can't be handed on: it would be of no use.
    pub fn token(&self) -> Result<Vec<u8>, Obstacle> {
        self.check()?;
        self.token.clone().ok_or(Obstacle::NoToken)
    }

    fn variable(&self, name: &str) -> &str {
        let value = self.fields.get("sys-vars").and_then(|all| all.get(name));
        value.and_then(Value::as_str).unwrap_or_default()
    }

    /// Whether it can be handed on.
    ///
    /// # Errors
    /// [`Obstacle::Encoding`].
    pub fn check(&self) -> Result<(), Obstacle> {
        self.check_encoding(self.ascii)
    }

    /// Answers come in the session's own encoding; only UTF-8 can be handed on.
    ///
    /// # Errors
    /// [`Obstacle::Encoding`].
    pub fn check_encoding(&self, ascii: bool) -> Result<(), Obstacle> {
        let encoding = self.variable("character_set_results");
        let same = matches!(encoding, "" | "utf8" | "utf8mb3" | "utf8mb4" | "binary");
        if ascii || same {
            return Ok(());
        }
        Err(Obstacle::Encoding(encoding.to_owned()))
    }

    /// The statements that give a fresh session this state, behind the one that sets its `roles`,
    /// which the prepared statements may need.
    ///
    /// # Errors
    /// [`Obstacle::State`] when a setting's value isn't one.
    pub fn statements(&self, roles: String) -> Result<Vec<String>, Obstacle> {
        let mut statements = vec![roles, self.settings()?, self.whole()];
        if self.fields.contains_key("prepared-stmts") {
            // Compiling them, TiDB mislays what the last statement left behind.
            statements.extend(self.of_last_statement());
        }
        Ok(statements)
    }

    /// So that the state is read as UTF-8, and so that its prepared statements are compiled as the
    /// session would: TiDB does that before it sets variables.
    fn settings(&self) -> Result<String, Obstacle> {
        let mut text = "SET character_set_client = 'utf8mb4'".to_owned();
        for name in ["collation_connection", "sql_mode"] {
            let value = self.variable(name);
            let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b',');
            if !value.bytes().all(plain) {
                return Err(Obstacle::State);
            }
            if self.has_variable(name) {
                text.push_str(&format!(", {name} = '{value}'"));
            }
        }
        Ok(text)
    }

    fn has_variable(&self, name: &str) -> bool {
        let variables = self.fields.get("sys-vars");
        variables.is_some_and(|all| all.get(name).is_some())
    }

    fn backslashes(&self) -> bool {
        !self.variable("sql_mode").contains("NO_BACKSLASH_ESCAPES")
    }

    fn whole(&self) -> String {
        let mut fields = self.fields.clone();
        if let Some(Value::Object(variables)) = fields.get_mut("sys-vars") {
            for (implied, by) in IMPLIED {
                if variables.contains_key(by) {
                    variables.remove(implied);
                }
            }
        }
        statement(&Value::Object(fields).to_string(), self.backslashes())
    }

    /// The statement that gives the session back what it knew of its last statement; `None` when that
    /// can't be said in its own settings.
    #[must_use]
    pub fn of_last_statement(&self) -> Option<String> {
        let mut fields = self.fields.clone();
        for lasting in LASTING {
            fields.remove(lasting);
        }
        let json = Value::Object(fields).to_string();
        let client = self.variable("character_set_client");
        if !json.is_ascii() && !client.starts_with("utf8") {
            return None;
        }
        Some(statement(&json, self.backslashes()))
    }
}

fn statement(json: &str, backslashes: bool) -> String {
    let mut text = String::with_capacity(json.len() + json.len() / 16 + 32);
    text.push_str("SET SESSION_STATES '");
    for letter in json.chars() {
        match letter {
            '\'' => text.push_str("''"),
            '\\' if backslashes => text.push_str("\\\\"),
            letter => text.push(letter),
        }
    }
    text.push('\'');
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn state(json: &str) -> Result<State, Obstacle> {
        State::read(&vec![Some(json.as_bytes().to_vec()), Some(b"{}".to_vec())])
    }

    #[test]
    fn the_state_is_handed_on_letter_by_letter() {
        let state = state(r#"{"user-var-values":{"a":"it's \"b\\\""},"x":18446744073709551615}"#);
        assert_eq!(
            state.expect("a state").whole(),
            r#"SET SESSION_STATES '{"user-var-values":{"a":"it''s \\"b\\\\\\""},"x":18446744073709551615}'"#
        );
    }

    #[test]
    fn a_character_set_does_not_undo_a_collation() {
        let json = r#"{"sys-vars":{"character_set_client":"gbk","character_set_server":"utf8",
            "character_set_connection":"utf8mb4","collation_connection":"utf8mb4_general_ci"}}"#;
        assert_eq!(
            state(json).expect("a state").whole(),
            r#"SET SESSION_STATES '{"sys-vars":{"character_set_client":"gbk","character_set_server":"utf8","collation_connection":"utf8mb4_general_ci"}}'"#
        );
    }

    #[test]
    fn statements_are_compiled_in_the_sessions_own_mode() {
        let json = r#"{"sys-vars":{"sql_mode":"ANSI_QUOTES,NO_BACKSLASH_ESCAPES",
            "collation_connection":"gbk_bin"},"txn-info":"\\"}"#;
        let session = state(json).expect("a state");
        assert_eq!(
            session.settings().expect("settings"),
            "SET character_set_client = 'utf8mb4', collation_connection = 'gbk_bin', \
             sql_mode = 'ANSI_QUOTES,NO_BACKSLASH_ESCAPES'"
        );
        assert!(session.whole().contains(r#""\\""#));
        let odd = state(r#"{"sys-vars":{"sql_mode":"', @@x = '"}}"#).expect("a state");
        assert_eq!(odd.settings(), Err(Obstacle::State));
    }

    #[test]
    fn what_is_given_back_has_no_variables_and_no_statements() {
        let json = r#"{"sys-vars":{"sql_mode":"NO_BACKSLASH_ESCAPES"},"prepared-stmts":{"1":{}},
            "prepared-stmt-id":7,"found-rows":18446744073709551615,"txn-info":"\\"}"#;
        let given = state(json).expect("a state").of_last_statement();
        assert_eq!(
            given.as_deref(),
            Some(
                r#"SET SESSION_STATES '{"found-rows":18446744073709551615,"prepared-stmt-id":7,"txn-info":"\\"}'"#
            )
        );
    }

    #[test]
    fn a_state_in_another_encoding_or_without_a_token_stays() {
        let json = r#"{"sys-vars":{"character_set_results":"gbk"},"current-db":"DB"}"#;
        let token = |json: &str| state(json).expect("a state").token();
        assert_eq!(token(json), Ok(b"{}".to_vec()));
        let encoding = Obstacle::Encoding("gbk".to_owned());
        assert_eq!(token(&json.replace("DB", "ä")), Err(encoding));
        assert_eq!(token(r#"{"current-db":"ä"}"#), Ok(b"{}".to_vec()));
        let without = State::read(&vec![Some(b"{}".to_vec()), None]);
        assert_eq!(without.expect("a state").token(), Err(Obstacle::NoToken));
        assert_eq!(State::read(&Asked::new()).err(), Some(Obstacle::State));
    }
}
