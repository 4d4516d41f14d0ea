//! What a tenant leaves behind in PD's rules when it is destroyed. Its id may be given away again,
//! and rules are known by it.

use http::Method;
use serde_json::{Value, json};

use super::backend::Backend;
use super::problem::Problem;
use super::query::escaped;
use super::scope::Scope;
use super::{bundles, labels};

pub(super) async fn rules_of(backend: &Backend, scope: &Scope) -> Result<(), Problem> {
    // Our names of groups hold no character that means something in an expression.
    let groups = format!("^{}", scope.groups());
    let path = format!("{}/{}?regexp", bundles::BUNDLES, escaped(groups.as_bytes()));
    match backend.send(Method::DELETE, &path, None).await {
        // Placement rules are switched off in this cluster: there are none.
        Err(Problem::Upstream { status, .. })
            if status == http::StatusCode::PRECONDITION_FAILED => {}
        done => drop(done?),
    }
    let rules = backend.get(labels::RULES).await?;
    let names = rules.as_array().into_iter().flatten();
    let names = names.filter_map(|rule| rule.get("id").and_then(Value::as_str));
    let own: Vec<&str> = names
        .filter(|name| scope.own_label(name).is_some())
        .collect();
    if own.is_empty() {
        return Ok(());
    }
    let patch = json!({"sets": [], "deletes": own});
    backend
        .send(Method::PATCH, labels::RULES, Some(&patch))
        .await
        .map(drop)
}
