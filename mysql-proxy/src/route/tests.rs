use super::*;
use crate::config::Config;
use crate::fleet::Fleet;

const CONFIG: &str = r#"
version = 1
admin = { listen = "127.0.0.1:1", token_file = "t" }
listeners = []
[[tenants]]
name = "alpha"
server_tls = { mode = "off" }
sni = ["alpha.example.com"]
[[tenants]]
name = "beta"
server_tls = { mode = "off" }
user = "keep"
sni = ["*.beta.example.com"]
[[rules]]
tenant = "alpha"
schema = "shop"
from = "10.0.0.0/8"
[[rules]]
tenant = "beta"
attribute = "program_name=backup"
[[rules]]
tenant = "beta"
user = "reporter"
port = 4001
"#;

fn table() -> Table {
    let config: Config = toml::from_str(CONFIG).expect("parses");
    config.validate().expect("valid");
    Table::new(&config, |_| std::sync::Arc::new(Fleet::default()))
}

fn question(user: &str) -> Question {
    serde_json::from_value(serde_json::json!({ "user": user })).expect("a question")
}

fn answer(question: &Question) -> (Option<String>, Option<String>) {
    let answer = table().explain(question);
    (answer.tenant, answer.user)
}

fn refused(question: &Question) -> String {
    table().explain(question).refused.expect("refused")
}

fn some(tenant: &str, user: &str) -> (Option<String>, Option<String>) {
    (Some(tenant.to_owned()), Some(user.to_owned()))
}

#[test]
fn a_user_names_its_tenant_before_or_behind_its_own_name() {
    assert_eq!(answer(&question("alpha.root")), some("alpha", "root"));
    assert_eq!(answer(&question("root@alpha")), some("alpha", "root"));
    assert_eq!(answer(&question("alpha.a.b@c")), some("alpha", "a.b@c"));
    assert_eq!(answer(&question("beta.root")), some("beta", "beta.root"));
}

#[test]
fn names_of_two_tenants_are_refused_wherever_they_stand() {
    let both = "names two tenants";
    assert!(refused(&question("alpha.root@beta")).contains(both));
    let mut on_port = question("beta.root");
    on_port.listener_tenant = Some("alpha".to_owned());
    assert!(refused(&on_port).contains(both));
    let mut by_host = question("alpha.root");
    by_host.sni = Some("x.beta.example.com".to_owned());
    assert!(refused(&by_host).contains(both));
    let mut by_attribute = question("alpha.root");
    by_attribute.attribute = Some("mesh_tenant=beta".to_owned());
    assert!(refused(&by_attribute).contains(both));
}

#[test]
fn port_host_and_attribute_name_a_tenant_too() {
    let mut on_port = question("root");
    on_port.listener_tenant = Some("alpha".to_owned());
    assert_eq!(answer(&on_port), some("alpha", "root"));
    let mut by_host = question("root");
    by_host.sni = Some("ALPHA.example.com".to_owned());
    assert_eq!(answer(&by_host), some("alpha", "root"));
    by_host.sni = Some("one.beta.example.com".to_owned());
    assert_eq!(answer(&by_host), some("beta", "root"));
    let mut by_attribute = question("root");
    by_attribute.attribute = Some("mesh_tenant=beta".to_owned());
    assert_eq!(answer(&by_attribute), some("beta", "root"));
    by_attribute.attribute = Some("mesh_tenant=gamma".to_owned());
    assert!(refused(&by_attribute).contains("no tenant gamma"));
}

#[test]
fn rules_decide_in_their_order_when_nothing_names_a_tenant() {
    let mut asked = question("root");
    assert!(refused(&asked).contains("names no tenant"));
    asked.schema = "shop".to_owned();
    assert!(refused(&asked).contains("names no tenant"));
    asked.from = "10.1.2.3".parse().expect("an address");
    assert_eq!(answer(&asked), some("alpha", "root"));
    asked.attribute = Some("program_name=backup".to_owned());
    assert_eq!(table().explain(&asked).reason, Some(Reason::Rule(1)));
    asked.schema.clear();
    assert_eq!(table().explain(&asked).reason, Some(Reason::Rule(2)));
    let mut reporter = question("reporter");
    reporter.port = 4001;
    assert_eq!(table().explain(&reporter).reason, Some(Reason::Rule(3)));
}
