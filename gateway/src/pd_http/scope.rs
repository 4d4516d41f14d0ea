//! Names of a tenant's rules inside PD. PD keeps one list for the whole cluster and TiDB's names
//! are made of table ids, so two tenants would overwrite each other's.

use crate::tenant::Tenant;

use super::problem::Problem;

/// Prefixes of one tenant's names.
pub(super) struct Scope {
    group: String,
    label: String,
}

impl Scope {
    /// `tidb-mesh-data:<8 hex digits>:` in front of rule groups, which go into paths;
    /// `tidb-mesh-data/<8 hex digits>/` in front of label rules, whose names have slashes anyway.
    pub(super) fn of(tenant: &Tenant) -> Scope {
        Scope::new(&tenant.etcd_prefix())
    }

    fn new(etcd_prefix: &str) -> Scope {
        let label = etcd_prefix.trim_start_matches('/').to_owned();
        Scope {
            group: label.replace('/', ":"),
            label,
        }
    }

    /// What PD's names of all the tenant's rule groups begin with.
    pub(super) fn groups(&self) -> &str {
        &self.group
    }

    /// PD's name of a tenant's rule group.
    pub(super) fn group(&self, group: &str) -> Result<String, Problem> {
        if group.is_empty() || group.contains('/') {
            return Err(Problem::BadRequest(
                "group id is empty or has a slash".to_owned(),
            ));
        }
        Ok(format!("{}{group}", self.group))
    }

    /// The tenant's name of a rule group; none for another's.
    pub(super) fn own_group<'n>(&self, name: &'n str) -> Option<&'n str> {
        name.strip_prefix(&self.group).filter(|own| !own.is_empty())
    }

    /// PD's name of a tenant's label rule. PD joins it to a path of its etcd and tidies the path
    /// up, so that a dot segment would lead out of the tenant's names, to any key of PD's.
    pub(super) fn label(&self, id: &str) -> Result<String, Problem> {
        if id.split('/').any(|part| matches!(part, "" | "." | "..")) {
            return Err(Problem::BadRequest(
                "rule id is empty or has an empty or dot segment".to_owned(),
            ));
        }
        Ok(format!("{}{id}", self.label))
    }

    /// The tenant's name of a label rule; none for another's.
    pub(super) fn own_label<'n>(&self, name: &'n str) -> Option<&'n str> {
        name.strip_prefix(&self.label).filter(|own| !own.is_empty())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn names_come_back_to_their_owner_only(name in "[^/]{1,20}", path in "[^/.]{1,9}(/[^/.]{1,9})?") {
            let own = Scope::new("/tidb-mesh-data/00000001/");
            let other = Scope::new("/tidb-mesh-data/00000011/");
            let group = own.group(&name).unwrap();
            prop_assert_eq!(own.own_group(&group), Some(name.as_str()));
            prop_assert_eq!(other.own_group(&group), None);
            let label = own.label(&path).unwrap();
            prop_assert_eq!(own.own_label(&label), Some(path.as_str()));
            prop_assert_eq!(other.own_label(&label), None);
        }
    }

    #[test]
    fn no_label_leads_out_of_the_tenants_names() {
        let own = Scope::new("/tidb-mesh-data/00000001/");
        for id in [
            "../00000002/schema/test",
            "schema/../../00000002/x",
            "..",
            ".",
            "a//b",
            "/a",
            "a/",
            "a/./b",
        ] {
            assert!(own.label(id).is_err(), "{id}");
        }
        assert!(own.label("schema/test/..t").is_ok());
    }

    #[test]
    fn names_of_nobody_are_nobodys() {
        let own = Scope::new("/tidb-mesh-data/00000001/");
        for foreign in [
            "pd",
            "TiDB_GLOBAL",
            "keyspaces/1",
            "tidb-mesh-data/00000001/",
            "",
        ] {
            assert_eq!(
                (own.own_group(foreign), own.own_label(foreign)),
                (None, None)
            );
        }
        assert!(own.group("").is_err() && own.group("a/b").is_err() && own.label("").is_err());
    }
}
