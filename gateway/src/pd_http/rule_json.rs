//! PD's JSON of a placement rule, between a tenant's names and ranges and PD's.
//!
//! A rule has one range. A tenant's range that reaches over the seam of its two parts becomes two
//! rules, `<id>#0` and `<id>#1`, and comes back as one. No rule of a tenant's own has a `#` in its
//! id, so the three names of a rule are its alone.

use mesh_keyspace::Keyspace;
use serde_json::{Map, Value, json};

use super::bounds::Range;
use super::problem::Problem;
use super::scope::Scope;

/// Ends of the ids of the two halves of a rule.
const HALVES: [&str; 2] = ["#0", "#1"];
const HALF_MARK: char = '#';

/// Names and codec of the tenant whose rules are mapped.
pub(super) struct RuleMap<'a> {
    pub(super) scope: Scope,
    pub(super) keyspace: &'a Keyspace,
}

/// One of PD's rules as the tenant sees it.
struct Seen {
    rule: Map<String, Value>,
    second_half: bool,
}

impl RuleMap<'_> {
    /// PD's rules for a tenant's rule: one, or two halves. `group` is the group that the rule is
    /// set in, where the request says it apart from the rule.
    pub(super) fn to_physical(
        &self,
        rule: &Value,
        group: Option<&str>,
    ) -> Result<Vec<Value>, Problem> {
        let rule = rule
            .as_object()
            .ok_or_else(|| bad("a rule is not an object"))?;
        let group = group_of(rule, group)?;
        let id = checked_id(rule)?;
        let parts = Range::of_json(rule)?.parts(self.keyspace)?;
        let group = self.scope.group(group)?;
        let whole = parts.len() == 1;
        if parts.is_empty() {
            return Err(bad("a rule's range holds nothing of the tenant"));
        }
        let rules = parts.into_iter().zip(HALVES).map(|(part, half)| {
            let mut physical = rule.clone();
            let id = if whole {
                id.to_owned()
            } else {
                format!("{id}{half}")
            };
            physical.insert("group_id".to_owned(), group.clone().into());
            physical.insert("id".to_owned(), id.into());
            part.into_json(&mut physical);
            Value::Object(physical)
        });
        Ok(rules.collect())
    }

    /// A tenant's rules out of PD's; those of others are left out.
    pub(super) fn to_logical(&self, rules: &Value) -> Result<Value, Problem> {
        let rules = match rules {
            Value::Array(rules) => rules,
            Value::Null => return Ok(Value::Null),
            _ => return Err(Problem::bad_answer("a list of rules")),
        };
        let mut own: Vec<Map<String, Value>> = Vec::new();
        for rule in rules {
            let Some(Seen {
                rule: seen,
                second_half,
            }) = self.seen(rule)?
            else {
                continue;
            };
            let same = |first: &&mut Map<String, Value>| {
                second_half
                    && first.get("id") == seen.get("id")
                    && first.get("group_id") == seen.get("group_id")
            };
            match own.iter_mut().find(same) {
                Some(first) => {
                    let end = seen.get("end_key").cloned().unwrap_or_default();
                    first.insert("end_key".to_owned(), end);
                }
                None => own.push(seen),
            }
        }
        Ok(own.into_iter().map(Value::Object).collect())
    }

    /// Operations that delete a rule under all the names it can have.
    pub(super) fn deletions(&self, group: &str, id: &str) -> Result<Vec<Value>, Problem> {
        let group = self.scope.group(group)?;
        let ids = [String::new(), HALVES[0].to_owned(), HALVES[1].to_owned()];
        let ids = ids.map(|half| format!("{id}{half}"));
        Ok(ids
            .map(|id| json!({"action": "del", "group_id": group, "id": id}))
            .to_vec())
    }

    /// Operations that put a rule in place of what has its names.
    pub(super) fn replacements(&self, rule: &Value) -> Result<Vec<Value>, Problem> {
        let fields = rule
            .as_object()
            .ok_or_else(|| bad("a rule is not an object"))?;
        let mut operations = self.deletions(group_of(fields, None)?, checked_id(fields)?)?;
        for mut rule in self.to_physical(rule, None)? {
            if let Some(fields) = rule.as_object_mut() {
                fields.insert("action".to_owned(), "add".into());
            }
            operations.push(rule);
        }
        Ok(operations)
    }

    /// A rule as the tenant sees it; nothing for others' rules.
    fn seen(&self, rule: &Value) -> Result<Option<Seen>, Problem> {
        let wrong = || Problem::bad_answer("a rule");
        let mut rule = rule.as_object().ok_or_else(wrong)?.clone();
        let text = |name: &str| rule.get(name).and_then(Value::as_str).map(str::to_owned);
        let group = text("group_id").ok_or_else(wrong)?;
        let Some(group) = self.scope.own_group(&group) else {
            return Ok(None);
        };
        let id = text("id").ok_or_else(wrong)?;
        let physical = Range::of_json(&rule).map_err(|_| wrong())?;
        let Some(range) = physical.clipped(self.keyspace)? else {
            return Ok(None);
        };
        let own_id = id.split_once(HALF_MARK).map_or(id.as_str(), |(own, _)| own);
        rule.insert("group_id".to_owned(), group.into());
        rule.insert("id".to_owned(), own_id.into());
        range.into_json(&mut rule);
        Ok(Some(Seen {
            rule,
            second_half: id.ends_with(HALVES[1]),
        }))
    }
}

/// The rule's group; a rule in a bundle may leave it to the bundle, but not contradict it.
fn group_of<'r>(rule: &'r Map<String, Value>, outer: Option<&'r str>) -> Result<&'r str, Problem> {
    let own = rule
        .get("group_id")
        .and_then(Value::as_str)
        .unwrap_or_default();
    match outer {
        None => Ok(own),
        Some(outer) if own.is_empty() || own == outer => Ok(outer),
        Some(_) => Err(bad("a rule names another group than its bundle")),
    }
}

fn checked_id(rule: &Map<String, Value>) -> Result<&str, Problem> {
    let id = rule.get("id").and_then(Value::as_str).unwrap_or_default();
    if id.is_empty() || id.contains(HALF_MARK) {
        return Err(bad("a rule's id is empty or has a '#'"));
    }
    Ok(id)
}

fn bad(text: &str) -> Problem {
    Problem::BadRequest(text.to_owned())
}

#[cfg(test)]
mod tests;
