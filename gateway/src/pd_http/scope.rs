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

    /// PD's name of a tenant's label rule.
    pub(super) fn label(&self, id: &str) -> Result<String, Problem> {
        if id.is_empty() {
            return Err(Problem::BadRequest("empty rule id".to_owned()));
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
        fn names_come_back_to_their_owner_only(name in "[^/]{1,20}", path in ".{1,20}") {
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
