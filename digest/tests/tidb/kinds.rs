//! Kinds and spans against TiDB's parser: what it accepts must be split as it splits it, and each
//! statement must have the kind that its syntax tree has.

use mesh_digest::{Classifier, Dialect, Kind};

use super::reference::{self, Reference};

/// The kinds that a syntax tree of the server may be told as.
fn kinds_of(tree: &str) -> &'static [Kind] {
    match tree {
        "SelectStmt" | "SetOprStmt" => &[Kind::Select],
        "InsertStmt" => &[Kind::Insert, Kind::Replace],
        "UpdateStmt" => &[Kind::Update],
        "DeleteStmt" => &[Kind::Delete],
        "NonTransactionalDMLStmt" => &[Kind::Insert, Kind::Replace, Kind::Update, Kind::Delete],
        "LoadDataStmt" | "ImportIntoStmt" => &[Kind::Load],
        "BeginStmt" => &[Kind::Begin],
        "CommitStmt" => &[Kind::Commit],
        "RollbackStmt" => &[Kind::Rollback, Kind::Savepoint],
        "SavepointStmt" | "ReleaseSavepointStmt" => &[Kind::Savepoint],
        "SetStmt"
        | "SetRoleStmt"
        | "SetConfigStmt"
        | "SetResourceGroupStmt"
        | "SetSessionStatesStmt"
        | "SetBindingStmt" => &[Kind::Set],
        "UseStmt" => &[Kind::Use],
        "ShowStmt" | "HelpStmt" => &[Kind::Show],
        "ExplainStmt" | "ExplainForStmt" | "TraceStmt" => &[Kind::Explain],
        "PrepareStmt" => &[Kind::Prepare],
        "ExecuteStmt" => &[Kind::Execute],
        "DeallocateStmt" => &[Kind::Deallocate],
        "CallStmt" => &[Kind::Call],
        "DoStmt" => &[Kind::Do],
        "LockTablesStmt" | "UnlockTablesStmt" => &[Kind::Lock],
        "KillStmt" => &[Kind::Kill],
        "SetPwdStmt" | "SetDefaultRoleStmt" | "GrantStmt" | "GrantRoleStmt" | "GrantProxyStmt"
        | "RevokeStmt" | "RevokeRoleStmt" | "CreateUserStmt" | "AlterUserStmt" | "DropUserStmt"
        | "RenameUserStmt" => &[Kind::Account],
        "AnalyzeTableStmt" => &[Kind::Maintenance, Kind::Ddl],
        "BRIEStmt" | "TrafficStmt" => &[Kind::Maintenance, Kind::Show],
        "AdminStmt"
        | "CleanupTableLockStmt"
        | "BinlogStmt"
        | "FlushStmt"
        | "ShutdownStmt"
        | "RestartStmt"
        | "SplitRegionStmt"
        | "PlanReplayerStmt"
        | "CalibrateResourceStmt"
        | "AddQueryWatchStmt"
        | "DropQueryWatchStmt"
        | "LoadStatsStmt"
        | "LockStatsStmt"
        | "UnlockStatsStmt"
        | "DropStatsStmt"
        | "RefreshStatsStmt"
        | "AlterInstanceStmt"
        | "RecommendIndexStmt"
        | "OptimizeTableStmt"
        | "RepairTableStmt"
        | "CancelDistributionJobStmt"
        | "DistributeTableStmt"
        | "ImportIntoActionStmt"
        | "CancelImportStmt" => &[Kind::Maintenance],
        _ => &[Kind::Ddl],
    }
}

/// Differences between `answer`, TiDB's statements of `text`, and ours.
fn difference(classifier: &mut Classifier, text: &[u8], answer: &str) -> Option<String> {
    if answer == "!" {
        return None;
    }
    let ours = match classifier.classify(text, Dialect::default()) {
        Ok(statements) => statements,
        Err(error) => return Some(error.to_string()),
    };
    let ours: Vec<_> = ours.iter().filter(|s| s.kind != Kind::Empty).collect();
    let theirs: Vec<_> = answer
        .lines()
        .filter_map(|line| line.split_once('\t'))
        .collect();
    if ours.len() != theirs.len() {
        // The body of a procedure is one statement to the server, each of its parts one to us.
        let procedure = theirs
            .iter()
            .any(|(tree, _)| tree.ends_with("ProcedureInfo"));
        return (!procedure).then(|| format!("{ours:?}"));
    }
    ours.iter().zip(theirs).find_map(|(ours, (tree, length))| {
        let kind = kinds_of(tree.trim_start_matches("*ast.")).contains(&ours.kind);
        // The server may leave out a line break on either side.
        let length: usize = length.parse().unwrap();
        let span = ours.span.len().abs_diff(length) <= 2;
        (!kind || !span).then(|| format!("{ours:?}"))
    })
}

#[test]
fn every_statement_of_the_servers_tests_has_its_kind_and_span() {
    let corpus = reference::corpus();
    let mut reference = Reference::start("classify");
    let mut classifier = Classifier::new();
    let answers = reference.ask(corpus, 1);
    let accepted = answers.iter().filter(|answer| *answer != b"!").count();
    assert!(accepted > 30_000, "only {accepted} texts are SQL");
    let found: Vec<_> = corpus
        .iter()
        .zip(&answers)
        .filter_map(|(text, answer)| {
            let answer = String::from_utf8_lossy(answer);
            let difference = difference(&mut classifier, text, &answer)?;
            Some(format!(
                "text: {:?}\nTiDB: {answer}\nours: {difference}\n",
                String::from_utf8_lossy(text)
            ))
        })
        .collect();
    let shown = found.iter().take(20).cloned().collect::<String>();
    assert!(
        found.is_empty(),
        "{} of {accepted} differ:\n{shown}",
        found.len()
    );
}
