//! What a person sees once everything is up: how to connect.

use std::fmt::Write as _;

use comfy_table::Table;
use comfy_table::presets::UTF8_HORIZONTAL_ONLY;

use super::startup::Running;

/// The table of ways in, and what else is worth knowing.
pub(super) fn connect(running: &Running) -> String {
    let mut table = Table::new();
    table.load_preset(UTF8_HORIZONTAL_ONLY);
    table.set_header([
        "tenant",
        "mode",
        "id",
        "connect with",
        "TiDB status",
        "PD address for clients",
    ]);
    for (name, tenant) in &running.tenants {
        let info = &tenant.info;
        let (id, pd) = (info.id.to_string(), info.pd.as_str());
        if tenant.tidb.is_empty() {
            table.add_row([name, &info.mode, &id, "(no TiDB)", "", pd]);
        }
        for tidb in &tenant.tidb {
            let (mysql, status) = (mysql_command(&tidb.mysql()), tidb.status());
            table.add_row([name, &info.mode, &id, &mysql, &status, pd]);
        }
    }
    let mut text = format!("\n{table}\n");
    if let Some(front) = &running.front {
        let address = front.plan().mysql.to_string();
        let command = mysql_command(&address).replace("-u root", "-u TENANT.root");
        let _ = writeln!(text, "every tenant through one address: {command}");
    }
    let _ = writeln!(
        text,
        "storage: PD {}, stores {}",
        running.storage.pd,
        running.storage.tikv.join(", ")
    );
    let _ = writeln!(
        text,
        "gateway: admin API {}, token in {}",
        running.gateway.admin_address(),
        running.gateway.token_file().display()
    );
    let _ = write!(text, "Ctrl-C stops everything; the data stays.");
    text
}

fn mysql_command(address: &str) -> String {
    match address.rsplit_once(':') {
        Some((host, port)) => format!("mysql -h {host} -P {port} -u root"),
        None => address.to_owned(),
    }
}
