//! The corpus' little language: SQL statements, each ending a line with `;`, and directives.
//!
//! `--@ session NAME` goes on in another session; `--@ pause` lets others get ahead; `--@ join NAME`
//! waits for a background statement. The others are about the next statement: `error CODE` says
//! that it must fail so; `background` doesn't wait for it; `prepared` uses the binary protocol;
//! `ignore` only runs it; `shape` compares columns and errors alone; `regions` compares the bounds
//! of regions but not their ids and sizes.

/// What to do next.
#[derive(Clone, Debug)]
pub(super) enum Step {
    Run(Statement),
    Join(String),
    Pause,
}

#[derive(Clone, Debug, Default)]
pub(super) struct Statement {
    pub(super) session: String,
    pub(super) sql: String,
    pub(super) error: Option<u16>,
    pub(super) background: bool,
    pub(super) prepared: bool,
    pub(super) view: View,
}

/// What of an outcome is compared.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum View {
    #[default]
    Everything,
    Shape,
    Regions,
    Nothing,
}

pub(super) fn parse(text: &str) -> Vec<Step> {
    let mut steps = Vec::new();
    let mut session = "a".to_owned();
    let mut next = Statement::default();
    for line in text.lines() {
        if let Some(directive) = line.strip_prefix("--@ ") {
            let (word, argument) = directive.split_once(' ').unwrap_or((directive, ""));
            match word {
                "session" => session = argument.to_owned(),
                "pause" => steps.push(Step::Pause),
                "join" => steps.push(Step::Join(argument.to_owned())),
                "error" => next.error = Some(argument.parse().expect("an error number")),
                "background" => next.background = true,
                "prepared" => next.prepared = true,
                "ignore" => next.view = View::Nothing,
                "shape" => next.view = View::Shape,
                "regions" => next.view = View::Regions,
                other => panic!("unknown directive {other}"),
            }
        } else if !line.starts_with("--") && !line.trim().is_empty() {
            next.sql.push_str(line);
            next.sql.push('\n');
            if line.ends_with(';') {
                let mut statement = std::mem::take(&mut next);
                statement.sql = statement.sql.trim_end().trim_end_matches(';').to_owned();
                statement.session.clone_from(&session);
                steps.push(Step::Run(statement));
            }
        }
    }
    steps
}
