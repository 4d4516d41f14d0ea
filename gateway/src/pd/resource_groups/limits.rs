//! What PD's resource manager takes without a look and can't bear. A group of another mode than RU,
//! one without settings, or a counter that runs backwards ends the PD of all tenants; a name with a
//! slash is joined to a path of PD's etcd, where `x/../t2_y` is another tenant's group.

use mesh_proto::types::resource_manager::{
    Consumption, GroupMode, ResourceGroup, TokenBucketRequest, token_bucket_request::Request,
};

use crate::fault::Fault;

/// # Errors
/// [`Fault::Refused`] for a name that is more than one segment of a path.
pub(super) fn name(name: &str) -> Result<(), Fault> {
    if name.contains('/') || matches!(name, "." | "..") {
        return Err(refused("a name with a slash or of dots alone"));
    }
    Ok(())
}

/// # Errors
/// [`Fault::Refused`] for a group that isn't measured in request units, or by none.
pub(super) fn group(group: &ResourceGroup) -> Result<(), Fault> {
    if group.mode() != GroupMode::RuMode {
        return Err(refused("another mode than request units"));
    }
    let bucket = group.r_u_settings.as_ref();
    let bucket = bucket.and_then(|settings| settings.r_u.as_ref());
    let bucket = bucket.ok_or_else(|| refused("no settings of request units"))?;
    let settings = bucket.settings.as_ref();
    let settings = settings.ok_or_else(|| refused("no settings of request units"))?;
    finite(bucket.tokens)?;
    finite(settings.max_tokens)
}

/// Checks what is asked for, and mends what is said to have been used: a client may round.
///
/// # Errors
/// [`Fault::Refused`] for numbers that are none.
pub(super) fn tokens(bucket: &mut TokenBucketRequest) -> Result<(), Fault> {
    if let Some(Request::RuItems(items)) = &bucket.request {
        items
            .request_r_u
            .iter()
            .try_for_each(|item| finite(item.value))?;
    }
    match bucket.consumption_since_last_request.as_mut() {
        Some(used) => consumption(used),
        None => Ok(()),
    }
}

fn consumption(used: &mut Consumption) -> Result<(), Fault> {
    for amount in [
        &mut used.r_r_u,
        &mut used.w_r_u,
        &mut used.read_bytes,
        &mut used.write_bytes,
        &mut used.total_cpu_time_ms,
        &mut used.sql_layer_cpu_time_ms,
        &mut used.kv_read_rpc_count,
        &mut used.kv_write_rpc_count,
        &mut used.tikv_r_u_v2,
        &mut used.tidb_r_u_v2,
        &mut used.tiflash_r_u_v2,
    ] {
        finite(*amount)?;
        *amount = amount.max(0.0);
    }
    // PD counts the difference.
    used.sql_layer_cpu_time_ms = used.sql_layer_cpu_time_ms.min(used.total_cpu_time_ms);
    Ok(())
}

fn finite(amount: f64) -> Result<(), Fault> {
    if amount.is_finite() {
        return Ok(());
    }
    Err(refused("an amount that is no finite number"))
}

fn refused(what: &str) -> Fault {
    Fault::Refused(format!("resource groups: {what}"))
}

#[cfg(test)]
mod tests {
    use mesh_proto::types::resource_manager::{
        GroupRequestUnitSettings, RequestUnitItem, TokenBucket, TokenLimitSettings,
        token_bucket_request::RequestRu,
    };

    use super::*;

    fn sane() -> ResourceGroup {
        let bucket = TokenBucket {
            settings: Some(TokenLimitSettings::default()),
            tokens: 7.0,
        };
        ResourceGroup {
            mode: GroupMode::RuMode.into(),
            r_u_settings: Some(GroupRequestUnitSettings { r_u: Some(bucket) }),
            ..Default::default()
        }
    }

    #[test]
    fn groups_that_end_a_pd_are_refused() {
        assert!(group(&sane()).is_ok());
        for mode in [0, 2, 9] {
            assert!(group(&ResourceGroup { mode, ..sane() }).is_err(), "{mode}");
        }
        let mut without = sane();
        without.r_u_settings = None;
        assert!(group(&without).is_err());
        without.r_u_settings = Some(GroupRequestUnitSettings { r_u: None });
        assert!(group(&without).is_err());
        let bare = TokenBucket::default();
        without.r_u_settings = Some(GroupRequestUnitSettings { r_u: Some(bare) });
        assert!(group(&without).is_err());
        let odd = TokenBucket {
            settings: Some(TokenLimitSettings::default()),
            tokens: f64::NAN,
        };
        without.r_u_settings = Some(GroupRequestUnitSettings { r_u: Some(odd) });
        assert!(group(&without).is_err());
    }

    #[test]
    fn names_are_one_segment() {
        for bad in ["x/../t2_y", "/", "..", "."] {
            assert!(name(bad).is_err(), "{bad}");
        }
        assert!(name("rg1").is_ok() && name("a..b").is_ok());
    }

    #[test]
    fn no_counter_of_pds_runs_backwards() {
        let mut bucket = TokenBucketRequest {
            consumption_since_last_request: Some(Consumption {
                total_cpu_time_ms: 1.0,
                sql_layer_cpu_time_ms: 2.0,
                r_r_u: -3.0,
                ..Default::default()
            }),
            ..Default::default()
        };
        tokens(&mut bucket).unwrap();
        let used = bucket.consumption_since_last_request.unwrap();
        assert!(used.total_cpu_time_ms >= used.sql_layer_cpu_time_ms);
        assert!(used.r_r_u >= 0.0);
        let item = RequestUnitItem {
            value: f64::INFINITY,
            ..Default::default()
        };
        let endless = Request::RuItems(RequestRu {
            request_r_u: vec![item],
        });
        bucket.request = Some(endless);
        assert!(tokens(&mut bucket).is_err());
    }
}
