//! Who calls the admin API, and what they may do.
//!
//! | role | may |
//! |---|---|
//! | viewer | look at all tenants, or at those that are named |
//! | tenant admin | look at, suspend and resume the tenants that are named |
//! | operator | everything |
//!
//! How a caller is known is behind [`Authenticator`]; the role is what counts from there on. What
//! must stay true: a caller that is bound to tenants learns of no other, not even whether it exists.

use axum::http::request::Parts;
use mesh_tenants::TenantName;
use serde::{Deserialize, Serialize};

use super::AdminError;

/// What a caller may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    /// Looks.
    Viewer,
    /// Looks at, suspends and resumes its own tenants.
    TenantAdmin,
    /// Does everything.
    Operator,
}

/// What an operation does, as far as permission goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// Changes nothing.
    Look,
    /// Changes whether a tenant is served.
    Operate,
    /// Changes who the tenants are and what they may take.
    Govern,
}

/// A caller.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// Name, for the audit log.
    pub name: String,
    /// What it may do.
    pub role: Role,
    /// The tenants that it is bound to; `None`: all.
    pub tenants: Option<Vec<TenantName>>,
}

/// Tells who sends a request.
pub trait Authenticator: Send + Sync + 'static {
    /// The caller, by whatever the request carries.
    ///
    /// # Errors
    /// [`AdminError::Unauthorized`] when it carries nothing, [`AdminError::Forbidden`] when what it
    /// carries is nobody's.
    fn identify(&self, head: &Parts) -> Result<Identity, AdminError>;
}

impl Role {
    /// The word in configuration and logs.
    pub fn as_str(self) -> &'static str {
        match self {
            Role::Viewer => "viewer",
            Role::TenantAdmin => "tenant-admin",
            Role::Operator => "operator",
        }
    }

    fn allows(self, action: Action) -> bool {
        match (self, action) {
            (Role::Operator, _) | (_, Action::Look) => true,
            (Role::TenantAdmin, Action::Operate) => true,
            (Role::TenantAdmin, Action::Govern) => false,
            (Role::Viewer, Action::Operate | Action::Govern) => false,
        }
    }
}

impl Identity {
    /// Whether the caller sees a tenant of this name.
    pub fn sees(&self, tenant: &str) -> bool {
        let own = |own: &Vec<TenantName>| own.iter().any(|name| name.as_str() == tenant);
        self.tenants.as_ref().is_none_or(own)
    }

    /// Lets an action on a tenant, or on none in particular, pass.
    ///
    /// # Errors
    /// [`AdminError::Denied`].
    pub fn may(&self, action: Action, tenant: Option<&str>) -> Result<(), AdminError> {
        let role = self.role.as_str();
        if !self.role.allows(action) {
            return Err(AdminError::Denied(format!(
                "role {role} does not allow this"
            )));
        }
        match tenant {
            Some(tenant) if !self.sees(tenant) => Err(AdminError::Denied(format!(
                "this {role} is not allowed to see tenant {tenant}"
            ))),
            Some(_) | None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn identity(role: Role, tenants: Option<&[&str]>) -> Identity {
        let names = |names: &[&str]| names.iter().map(|name| name.parse().unwrap()).collect();
        Identity {
            name: "x".to_owned(),
            role,
            tenants: tenants.map(names),
        }
    }

    #[test]
    fn roles_allow_what_they_say_and_nothing_else() {
        let all = [Action::Look, Action::Operate, Action::Govern];
        for (role, allowed) in [
            (Role::Viewer, [true, false, false]),
            (Role::TenantAdmin, [true, true, false]),
            (Role::Operator, [true, true, true]),
        ] {
            let tenants: Option<&[&str]> = (role == Role::TenantAdmin).then_some(&["alpha"]);
            let caller = identity(role, tenants);
            for (action, allowed) in all.into_iter().zip(allowed) {
                let outcome = caller.may(action, Some("alpha"));
                assert_eq!(outcome.is_ok(), allowed, "{role:?} {action:?}");
            }
        }
    }

    #[test]
    fn who_is_bound_to_tenants_sees_no_other() {
        for role in [Role::Viewer, Role::TenantAdmin] {
            let caller = identity(role, Some(&["alpha"]));
            assert!(caller.may(Action::Look, Some("alpha")).is_ok());
            assert!(caller.may(Action::Look, Some("beta")).is_err());
            assert!(caller.may(Action::Operate, Some("beta")).is_err());
            assert!(!caller.sees("alpha2") && caller.sees("alpha"));
        }
    }
}
