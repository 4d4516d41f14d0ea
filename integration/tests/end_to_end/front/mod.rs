//! The MySQL front on real TiDB servers, with real drivers and with bare packets.

mod commands;
mod hostile;
mod logins;
mod moves;
mod raw;
mod servers;
mod tenants;
mod tls;

use mesh_integration::stack::{Front, Stack, StackPlan};
use tokio::sync::OnceCell;

/// Tenants alpha and beta behind the gateway, and the front before both.
static STACK: OnceCell<Stack> = OnceCell::const_new();

async fn stack() -> &'static Stack {
    let start = || async {
        let plan = StackPlan::new("front").tenants(&["alpha", "beta"]).front();
        plan.start().await.expect("a stack with a front")
    };
    STACK.get_or_init(start).await
}

fn front(stack: &Stack) -> &Front {
    stack.front.as_ref().expect("a front")
}

/// Where clients of all tenants connect.
async fn address() -> String {
    front(stack().await).plan().mysql.to_string()
}

/// Where clients of alpha would connect without the front.
async fn alpha_direct() -> String {
    stack().await.tidb("alpha").expect("a TiDB").mysql()
}
