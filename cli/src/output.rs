//! Results as tables for people and as JSON for programs.

use comfy_table::{ContentArrangement, Table, presets};
use mesh_admin_client::{Limits, Planned, Tenant, TenantList, Usage};
use serde::Serialize;

use crate::arguments::Output;
use crate::run::Failure;

/// One tenant; `note` says what happened to it, for people only.
pub(crate) fn tenant(tenant: &Tenant, note: Option<&str>, form: Output) -> Result<String, Failure> {
    match form {
        Output::Json => json(tenant),
        Output::Table => {
            let head = note.map(|note| format!("tenant {} {note}\n", tenant.name));
            Ok(format!("{}{}\n", head.unwrap_or_default(), details(tenant)))
        }
    }
}

/// All tenants. JSON: the API's own form, `{"tenants": [...]}`.
pub(crate) fn tenants(tenants: &[Tenant], form: Output) -> Result<String, Failure> {
    match form {
        Output::Json => json(&TenantList {
            tenants: tenants.to_vec(),
        }),
        Output::Table => Ok(format!("{}\n", overview(tenants))),
    }
}

/// What a tenant may take.
pub(crate) fn limits(limits: &Limits, form: Output) -> Result<String, Failure> {
    if form == Output::Json {
        return json(limits);
    }
    fn shown<N: ToString>(limit: Option<N>) -> String {
        limit.map_or_else(|| "none".to_owned(), |limit| limit.to_string())
    }
    let mut table = table();
    for (name, limit) in [
        ("requests per second", shown(limits.requests_per_second)),
        ("bytes per second", shown(limits.bytes_per_second)),
        ("requests in flight", shown(limits.in_flight_requests)),
        ("bytes in flight", shown(limits.in_flight_bytes)),
        ("connections", shown(limits.connections)),
        ("weight", shown(limits.weight)),
    ] {
        table.add_row([name.to_owned(), limit]);
    }
    Ok(format!("{table}\n"))
}

/// What a tenant takes.
pub(crate) fn usage(usage: &Usage, form: Output) -> Result<String, Failure> {
    if form == Output::Json {
        return json(usage);
    }
    let (disk, rates) = (&usage.disk, &usage.gateway);
    let mut table = table();
    for (name, value) in [
        ("bytes on disk", disk.bytes.to_string()),
        ("keys", disk.keys.to_string()),
        ("regions", disk.regions.to_string()),
        ("requests/s", format!("{:.1}", rates.requests_per_second)),
        (
            "bytes/s in",
            format!("{:.0}", rates.received_bytes_per_second),
        ),
        ("bytes/s out", format!("{:.0}", rates.sent_bytes_per_second)),
        ("requests in flight", rates.in_flight_requests.to_string()),
        ("bytes in flight", rates.in_flight_bytes.to_string()),
        ("frames waiting", rates.waiting.to_string()),
        ("requests turned away", rates.refused.to_string()),
        ("connections", rates.connections.to_string()),
    ] {
        table.add_row([name.to_owned(), value]);
    }
    Ok(format!("{table}\n"))
}

/// What a change would do.
pub(crate) fn planned(plan: &Planned, form: Output) -> Result<String, Failure> {
    if form == Output::Json {
        return json(plan);
    }
    let mut text = format!(
        "dry run: {} would do this, and nothing is changed\n",
        plan.action
    );
    for effect in &plan.effects {
        text.push_str(&format!("  {effect}\n"));
    }
    if let Some(tenant) = &plan.tenant {
        text.push_str(&format!("{}\n", details(tenant)));
    }
    Ok(text)
}

fn json(value: &impl Serialize) -> Result<String, Failure> {
    let text = serde_json::to_string_pretty(value).map_err(std::io::Error::from)?;
    Ok(text + "\n")
}

fn overview(tenants: &[Tenant]) -> Table {
    let mut table = table();
    table.set_header(["NAME", "ID", "MODE", "STATE", "PD", "STORES"]);
    for tenant in tenants {
        table.add_row([
            tenant.name.clone(),
            tenant.id.to_string(),
            tenant.mode.to_string(),
            tenant.state.to_string(),
            tenant.pd.clone(),
            tenant.stores.len().to_string(),
        ]);
    }
    table
}

fn details(tenant: &Tenant) -> Table {
    let mut table = table();
    table.add_row(["name", &tenant.name]);
    table.add_row(["id", &tenant.id.to_string()]);
    table.add_row(["mode", &tenant.mode.to_string()]);
    table.add_row(["state", &tenant.state.to_string()]);
    table.add_row(["pd", &tenant.pd]);
    for store in &tenant.stores {
        table.add_row([format!("store {}", store.id), store.address.clone()]);
    }
    for range in &tenant.ranges {
        table.add_row([
            "range".to_owned(),
            format!("[{}, {})", range.start, range.end),
        ]);
    }
    table
}

/// Columns apart by spaces only: easy on the eye, and on `awk`.
fn table() -> Table {
    let mut table = Table::new();
    table
        .load_preset(presets::NOTHING)
        .set_content_arrangement(ContentArrangement::Disabled);
    table
}

#[cfg(test)]
mod tests {
    use mesh_admin_client::{KeyRange, Mode, Store, TenantState};

    use super::*;

    fn alpha() -> Tenant {
        Tenant {
            name: "alpha".to_owned(),
            id: 1,
            mode: Mode::Table,
            state: TenantState::Active,
            pd: "127.0.0.1:20001".to_owned(),
            stores: vec![Store {
                id: 4,
                address: "127.0.0.1:20002".to_owned(),
            }],
            ranges: vec![KeyRange {
                start: "6d010001".to_owned(),
                end: "6d010002".to_owned(),
            }],
        }
    }

    fn cells(text: &str) -> Vec<Vec<&str>> {
        text.lines()
            .map(|line| line.split_whitespace().collect())
            .collect()
    }

    #[test]
    fn a_tenant_for_people() {
        let text = tenant(&alpha(), Some("created"), Output::Table).unwrap();
        let expected = [
            vec!["tenant", "alpha", "created"],
            vec!["name", "alpha"],
            vec!["id", "1"],
            vec!["mode", "table"],
            vec!["state", "active"],
            vec!["pd", "127.0.0.1:20001"],
            vec!["store", "4", "127.0.0.1:20002"],
            vec!["range", "[6d010001,", "6d010002)"],
        ];
        assert_eq!(cells(&text), expected);
    }

    #[test]
    fn a_tenant_for_programs_is_the_apis_form() {
        let text = tenant(&alpha(), Some("created"), Output::Json).unwrap();
        assert_eq!(serde_json::from_str::<Tenant>(&text).unwrap(), alpha());
        let text = tenants(&[alpha()], Output::Json).unwrap();
        assert_eq!(
            serde_json::from_str::<TenantList>(&text).unwrap().tenants,
            [alpha()]
        );
    }

    #[test]
    fn a_list_has_a_head_even_when_empty() {
        let text = tenants(&[], Output::Table).unwrap();
        assert_eq!(
            cells(&text),
            [["NAME", "ID", "MODE", "STATE", "PD", "STORES"]]
        );
        let text = tenants(&[alpha()], Output::Table).unwrap();
        assert_eq!(
            cells(&text)[1],
            ["alpha", "1", "table", "active", "127.0.0.1:20001", "1"]
        );
    }
}
