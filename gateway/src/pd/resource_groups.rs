//! Resource groups: names are shared by all tenants of the storage, so a tenant's carry its scope.
//!
//! `default` is everybody's: a tenant may use and read it, not change it.

mod limits;

use std::sync::Arc;

use bytes::Bytes;
use mesh_keyspace::Keyspace;
use mesh_proto::types::resource_manager;
use prost::Message;

use super::{relay, request};
use crate::fault::Fault;
use crate::grpc::{self, Call, Frames};
use crate::scoped_name;
use crate::upstream::Pd;

const DEFAULT: &str = "default";

/// Answers for resource_manager.
pub(super) struct ResourceGroups {
    pd: Arc<Pd>,
}

impl ResourceGroups {
    pub(super) fn new(pd: Arc<Pd>) -> ResourceGroups {
        ResourceGroups { pd }
    }

    pub(super) async fn list(&self, call: Call) -> Result<tonic::Response<Frames>, Fault> {
        let path = call.rpc.path;
        let (tenant, mut request) =
            request::take::<resource_manager::ListResourceGroupsRequest>(call).await?;
        request.keyspace_id = None;
        let mut answer: resource_manager::ListResourceGroupsResponse =
            self.pd.call(path, &request).await?;
        let groups = answer.groups.into_iter();
        answer.groups = groups
            .filter_map(|group| own(&tenant.keyspace, group))
            .collect();
        Ok(grpc::unary(&answer))
    }

    pub(super) async fn get(&self, call: Call) -> Result<tonic::Response<Frames>, Fault> {
        let path = call.rpc.path;
        let (tenant, mut request) =
            request::take::<resource_manager::GetResourceGroupRequest>(call).await?;
        request.resource_group_name = shared_name(&tenant.keyspace, &request.resource_group_name);
        request.keyspace_id = None;
        let mut answer: resource_manager::GetResourceGroupResponse =
            self.pd.call(path, &request).await?;
        answer.group = answer.group.and_then(|group| own(&tenant.keyspace, group));
        Ok(grpc::unary(&answer))
    }

    /// AddResourceGroup and ModifyResourceGroup.
    pub(super) async fn put(&self, call: Call) -> Result<tonic::Response<Frames>, Fault> {
        let path = call.rpc.path;
        let (tenant, request) =
            request::take::<resource_manager::PutResourceGroupRequest>(call).await?;
        let group = request.group.unwrap_or_default();
        refuse_default(&group.name)?;
        limits::name(&group.name)?;
        limits::group(&group)?;
        let group = Some(shared(&tenant.keyspace, group));
        let forwarded = resource_manager::PutResourceGroupRequest { group };
        let answer: resource_manager::PutResourceGroupResponse =
            self.pd.call(path, &forwarded).await?;
        Ok(grpc::unary(&answer))
    }

    pub(super) async fn delete(&self, call: Call) -> Result<tonic::Response<Frames>, Fault> {
        let path = call.rpc.path;
        let (tenant, mut request) =
            request::take::<resource_manager::DeleteResourceGroupRequest>(call).await?;
        refuse_default(&request.resource_group_name)?;
        limits::name(&request.resource_group_name)?;
        request.resource_group_name = shared_name(&tenant.keyspace, &request.resource_group_name);
        request.keyspace_id = None;
        let answer: resource_manager::DeleteResourceGroupResponse =
            self.pd.call(path, &request).await?;
        Ok(grpc::unary(&answer))
    }

    pub(super) async fn acquire(&self, call: Call) -> Result<tonic::Response<Frames>, Fault> {
        let Call {
            tenant,
            rpc,
            frames,
            ..
        } = call;
        let keyspace = tenant.keyspace;
        let up = move |frame: Bytes| {
            let mut request: resource_manager::TokenBucketsRequest = request::decode(rpc, &frame)?;
            for bucket in &mut request.requests {
                bucket.resource_group_name = shared_name(&keyspace, &bucket.resource_group_name);
                bucket.keyspace_id = None;
                limits::tokens(bucket)?;
            }
            Ok(request.encode_to_vec().into())
        };
        let down = move |frame: Bytes| {
            let mut answer = resource_manager::TokenBucketsResponse::decode(frame)
                .map_err(|fault| Fault::BadAnswer(format!("token buckets: {fault}")))?;
            answer.responses.retain_mut(|bucket| {
                let name = own_name(&keyspace, &bucket.resource_group_name);
                bucket.resource_group_name = name.clone().unwrap_or_default();
                name.is_some()
            });
            Ok(Some(answer.encode_to_vec().into()))
        };
        relay::relay(&self.pd, rpc.path, frames, up, down).await
    }
}

fn refuse_default(name: &str) -> Result<(), Fault> {
    if name == DEFAULT {
        let text = "resource group default is shared by all tenants and cannot be changed";
        return Err(Fault::Refused(text.to_owned()));
    }
    Ok(())
}

fn shared_name(keyspace: &Keyspace, name: &str) -> String {
    if name.is_empty() {
        return String::new();
    }
    let mut out = Vec::new();
    scoped_name::scope(keyspace, name.as_bytes(), &mut out);
    String::from_utf8_lossy(&out).into_owned()
}

fn own_name(keyspace: &Keyspace, name: &str) -> Option<String> {
    let own = scoped_name::unscope(keyspace, name.as_bytes())?;
    Some(String::from_utf8_lossy(own).into_owned())
}

fn shared(
    keyspace: &Keyspace,
    mut group: resource_manager::ResourceGroup,
) -> resource_manager::ResourceGroup {
    group.name = shared_name(keyspace, &group.name);
    group.keyspace_id = None;
    if let Some(runaway) = group.runaway_settings.as_mut() {
        runaway.switch_group_name = shared_name(keyspace, &runaway.switch_group_name);
    }
    group
}

/// A shared group under the tenant's own name; nothing for another tenant's.
pub(super) fn own(
    keyspace: &Keyspace,
    mut group: resource_manager::ResourceGroup,
) -> Option<resource_manager::ResourceGroup> {
    group.name = own_name(keyspace, &group.name)?;
    if let Some(runaway) = group.runaway_settings.as_mut() {
        let target = own_name(keyspace, &runaway.switch_group_name);
        runaway.switch_group_name = target.unwrap_or_default();
    }
    Some(group)
}

#[cfg(test)]
mod tests {
    use mesh_keyspace::{Mode, TenantId};

    use super::*;

    fn keyspace(id: u32) -> Keyspace {
        Keyspace::new(Mode::Table, TenantId::new(Mode::Table, id).unwrap()).unwrap()
    }

    #[test]
    fn a_group_comes_back_to_its_tenant_only() {
        let settings = resource_manager::RunawaySettings {
            switch_group_name: "slow".to_owned(),
            ..Default::default()
        };
        let group = resource_manager::ResourceGroup {
            name: "rg1".to_owned(),
            runaway_settings: Some(settings),
            ..Default::default()
        };
        let stored = shared(&keyspace(1), group.clone());
        assert_ne!(stored.name, group.name);
        assert_eq!(own(&keyspace(1), stored.clone()), Some(group));
        assert_eq!(own(&keyspace(2), stored.clone()), None);
        assert_eq!(own(&keyspace(11), stored), None);
    }

    #[test]
    fn default_is_shared_and_read_only() {
        let group = resource_manager::ResourceGroup {
            name: DEFAULT.to_owned(),
            ..Default::default()
        };
        assert_eq!(own(&keyspace(1), group.clone()), Some(group));
        assert!(refuse_default(DEFAULT).is_err());
        assert!(refuse_default("rg1").is_ok());
    }
}
