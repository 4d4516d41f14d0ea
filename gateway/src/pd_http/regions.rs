//! Regions, found by key, by id or by listing, each clipped to the tenant.
//!
//! Where PD would list its whole cluster, the tenant's ranges are listed instead.

use std::collections::HashSet;

use http::Method;
use serde_json::{Value, json};

use mesh_keyspace::{Form, Position};

use super::allow::RegionsCall;
use super::bounds::Range;
use super::problem::Problem;
use super::query::escaped;
use super::{Answer, Visit, region_json};

/// PD's own default and bound of a listing.
const DEFAULT_LIMIT: i64 = 16;
const MAX_LIMIT: i64 = 10_240;

pub(super) async fn serve(visit: &Visit<'_>, call: RegionsCall) -> Answer {
    match call {
        RegionsCall::ById(id) => Ok(visit.own_region(&id).await?.unwrap_or_default()),
        RegionsCall::ByKey(key) => visit.region_by_key(&key).await,
        RegionsCall::All => Ok(region_json::as_list(
            visit.scan(&Range::everything(), None).await?,
        )),
        RegionsCall::Scan => visit.scan_regions().await,
        RegionsCall::Count => {
            let regions = visit.scan(&Range::everything(), None).await?;
            Ok(json!({"count": regions.len(), "regions": null}))
        }
        RegionsCall::OfStore(id) => {
            visit
                .listed(&format!("/pd/api/v1/regions/store/{id}"))
                .await
        }
        RegionsCall::Check(kind) => {
            visit
                .listed(&format!("/pd/api/v1/regions/check/{kind}"))
                .await
        }
        RegionsCall::Siblings(id) => visit.siblings(&id).await,
        RegionsCall::Replicated => visit.replicated().await,
        RegionsCall::Accelerate => visit.accelerate(vec![visit.json()?]).await,
        RegionsCall::AccelerateBatch => match visit.json()? {
            Value::Array(ranges) => visit.accelerate(ranges).await,
            _ => Err(Problem::BadRequest("not a list of ranges".to_owned())),
        },
    }
}

impl Visit<'_> {
    /// A region by its id, if the tenant sees any of it.
    pub(super) async fn own_region(&self, id: &str) -> Result<Option<Value>, Problem> {
        let region = self
            .backend
            .get(&format!("/pd/api/v1/region/id/{id}"))
            .await?;
        region_json::clip(&self.tenant.keyspace, region)
    }

    /// The tenant's regions in a range of its own, clipped, in key order, each once.
    pub(super) async fn scan(
        &self,
        range: &Range,
        limit: Option<usize>,
    ) -> Result<Vec<Value>, Problem> {
        let (mut seen, mut ids) = (Vec::new(), HashSet::new());
        for part in range.parts(&self.tenant.keyspace)? {
            let left = limit.map(|limit| limit.saturating_sub(seen.len()));
            if left == Some(0) {
                break;
            }
            let left = left.map_or("-1".to_owned(), |left| left.to_string());
            let (start, end) = (escaped(&part.start), escaped(&part.end));
            let path = format!("/pd/api/v1/regions/key?key={start}&end_key={end}&limit={left}");
            for region in region_json::into_regions(self.backend.get(&path).await?)? {
                let first_time = region_json::id(&region).is_some_and(|id| ids.insert(id));
                if first_time {
                    seen.extend(region_json::clip(&self.tenant.keyspace, region)?);
                }
            }
        }
        Ok(seen)
    }

    async fn region_by_key(&self, key: &[u8]) -> Answer {
        let key = self.query.key_in_format(key)?;
        let mut physical = Vec::new();
        let keyspace = &self.tenant.keyspace;
        if keyspace.locate(Form::Encoded, &key, &mut physical)? == Position::PastEnd {
            // Above what a part of the tenant holds: PD would find the physical bound in a
            // neighbour's region, while the one below it, clipped, holds the key.
            return self.region_around(&key).await;
        }
        let path = format!("/pd/api/v1/region/key/{}", escaped(&physical));
        let region = self.backend.get(&path).await?;
        Ok(region_json::clip(keyspace, region)?.unwrap_or_default())
    }

    async fn region_around(&self, key: &[u8]) -> Answer {
        for region in self.scan(&Range::everything(), None).await? {
            let fields = region.as_object().ok_or_else(not_a_range)?;
            if Range::of_json(fields)?.holds(key) {
                return Ok(region);
            }
        }
        Ok(Value::Null)
    }

    async fn scan_regions(&self) -> Answer {
        let range = Range {
            start: self.query.key("key")?,
            end: self.query.key("end_key")?,
        };
        let limit = match self.query.text("limit").as_ref() {
            "" => DEFAULT_LIMIT,
            text => text
                .parse::<i64>()
                .map_err(|_| not_a_number())?
                .min(MAX_LIMIT),
        };
        let limit = usize::try_from(limit).ok().filter(|limit| *limit > 0);
        Ok(region_json::as_list(self.scan(&range, limit).await?))
    }

    async fn listed(&self, path: &str) -> Answer {
        region_json::clip_list(&self.tenant.keyspace, self.backend.get(path).await?)
    }

    async fn siblings(&self, id: &str) -> Answer {
        if self.own_region(id).await?.is_none() {
            return Err(Problem::NotFound(format!("region {id} not found")));
        }
        self.listed(&format!("/pd/api/v1/regions/sibling/{id}"))
            .await
    }

    /// The worst state of the parts.
    async fn replicated(&self) -> Answer {
        let start = self.query.hex_key("startKey")?;
        let range = Range {
            start,
            end: self.query.hex_key("endKey")?,
        };
        let mut worst = 0;
        for part in range.parts(&self.tenant.keyspace)? {
            let (start, end) = (hex::encode(part.start), hex::encode(part.end));
            let path = format!("/pd/api/v1/regions/replicated?startKey={start}&endKey={end}");
            let state = self.backend.get(&path).await?;
            let known = STATES.iter().position(|known| state == **known);
            worst = worst.max(known.ok_or_else(|| Problem::bad_answer("a replication state"))?);
        }
        Ok(STATES.get(worst).copied().unwrap_or_default().into())
    }

    /// PD's answer repeats the keys that it was given, so the words here are our own.
    async fn accelerate(&self, ranges: Vec<Value>) -> Answer {
        let mut parts = Vec::new();
        for range in &ranges {
            let fields = range.as_object().ok_or_else(not_a_range)?;
            for part in Range::of_json(fields)?.parts(&self.tenant.keyspace)? {
                let mut fields = serde_json::Map::new();
                part.into_json(&mut fields);
                parts.push(Value::Object(fields));
            }
        }
        let path = "/pd/api/v1/regions/accelerate-schedule/batch";
        self.backend
            .send(Method::POST, path, Some(&Value::Array(parts)))
            .await?;
        Ok("Accelerate regions scheduling in the given ranges".into())
    }
}

/// From best to worst.
const STATES: [&str; 3] = ["REPLICATED", "INPROGRESS", "PENDING"];

fn not_a_number() -> Problem {
    Problem::BadRequest("limit is not a number".to_owned())
}

fn not_a_range() -> Problem {
    Problem::BadRequest("a range is not an object".to_owned())
}
