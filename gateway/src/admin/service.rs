//! What the admin API does to tenants, as the rest of the gateway offers it.

use mesh_admin_client::{Limits, ModeChoice, Tenant, Usage};

use super::{AdminError, Created, TenantName};

/// Acts on tenants. Every change may be repeated: what is as asked for already is a success.
#[async_trait::async_trait]
pub trait TenantService: Send + Sync + 'static {
    /// Creates a tenant and returns once its listeners answer and its regions are cut. The same
    /// name with a mode that [accepts](ModeChoice::accepts) the tenant's is not an error.
    async fn create(
        &self,
        name: TenantName,
        mode: ModeChoice,
    ) -> Result<(Tenant, Created), AdminError>;

    /// A tenant; [`AdminError::NotFound`] if there is none.
    async fn get(&self, name: &TenantName) -> Result<Tenant, AdminError>;

    /// All tenants, by name.
    async fn list(&self) -> Result<Vec<Tenant>, AdminError>;

    /// Ends serving a tenant and has its data destroyed; returns it in its last known state.
    async fn delete(&self, name: &TenantName) -> Result<Tenant, AdminError>;

    /// Stops serving a tenant; returns when no gateway serves it any more.
    async fn suspend(&self, name: &TenantName) -> Result<Tenant, AdminError>;

    /// Serves a suspended tenant again.
    async fn resume(&self, name: &TenantName) -> Result<Tenant, AdminError>;

    /// Gives a tenant another name.
    async fn rename(&self, name: &TenantName, to: &TenantName) -> Result<Tenant, AdminError>;

    /// What a tenant may take.
    async fn limits(&self, name: &TenantName) -> Result<Limits, AdminError>;

    /// Sets what a tenant may take, all of it.
    async fn set_limits(&self, name: &TenantName, limits: Limits) -> Result<Limits, AdminError>;

    /// What a tenant takes.
    async fn usage(&self, name: &TenantName) -> Result<Usage, AdminError>;
}
