//! The stack that most tests share: tenants alpha and beta behind the gateway on one storage, and a
//! TiDB on a storage of its own to compare with. It lives until the test process ends.

use mesh_integration::dump::{Dump, Ranges};
use mesh_integration::sql::Session;
use mesh_integration::stack::{Stack, StackPlan};
use tokio::sync::{Mutex, OnceCell};

pub(crate) struct Trio {
    pub(crate) mesh: Stack,
    pub(crate) direct: Stack,
    /// Held by who changes schemas: all three servers see the same changes in the same order, so
    /// that they hand out the same ids.
    pub(crate) turn: Mutex<()>,
}

static TRIO: OnceCell<Trio> = OnceCell::const_new();

pub(crate) async fn trio() -> &'static Trio {
    TRIO.get_or_init(start).await
}

async fn start() -> Trio {
    let direct = StackPlan::new("direct").direct_tidb(1).start();
    let mesh = StackPlan::new("mesh").tenants(&["alpha", "beta"]).start();
    let (direct, mesh) = tokio::join!(direct, mesh);
    let trio = Trio {
        mesh: mesh.expect("the mesh starts"),
        direct: direct.expect("the direct TiDB starts"),
        turn: Mutex::const_new(()),
    };
    for (_, address) in trio.lanes() {
        let mut session = Session::connect(&address).await.expect("a session");
        // Statistics that arrive late would change plans and add warnings on a busy machine.
        session
            .execute("SET GLOBAL tidb_stats_load_sync_wait = 30000")
            .await
            .expect("set");
        session
            .execute("SET GLOBAL tidb_enable_auto_analyze = OFF")
            .await
            .expect("set");
    }
    trio
}

impl Trio {
    /// Names and MySQL addresses, the direct one first.
    pub(crate) fn lanes(&self) -> Vec<(String, String)> {
        let mut lanes = vec![("direct".to_owned(), self.direct.direct[0].mysql())];
        for (name, tenant) in &self.mesh.tenants {
            lanes.push((name.clone(), tenant.tidb[0].mysql()));
        }
        lanes
    }
}

/// The physical ranges of a tenant.
pub(crate) fn ranges_of(stack: &Stack, tenant: &str) -> Ranges {
    Ranges::parse(&stack.tenants[tenant].info.ranges).expect("ranges in hex")
}

/// All that the engine holds of a tenant.
pub(crate) async fn lines_of(stack: &Stack, tenant: &str) -> Vec<String> {
    let dump = Dump::read(&stack.storage.engine_status_address())
        .await
        .expect("a dump");
    let inside = dump.inside(&ranges_of(stack, tenant));
    inside.into_iter().map(|entry| entry.line.clone()).collect()
}
