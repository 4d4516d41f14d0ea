//! Who reaches which tenant, and that nobody reaches another's.

use mesh_integration::sql::{Session, options, refusal};
use mysql_async::{ChangeUserOpts, OptsBuilder};

use super::{address, front, stack};
use crate::runner::run;

async fn refused(options: OptsBuilder) -> (u16, String) {
    let error = Session::open("the front", options)
        .await
        .expect_err("refused");
    let refusal = refusal(&error).unwrap_or_else(|| panic!("no error of a server: {error:#}"));
    (refusal.code, refusal.message)
}

async fn mark(name: &str) {
    let mut direct = stack().await.session(name).await.unwrap();
    let create = format!("CREATE DATABASE IF NOT EXISTS secret_of_{name}");
    direct.execute(&create).await.unwrap();
}

#[test]
fn one_address_leads_each_user_to_its_own_tenant() {
    run(async {
        let address = address().await;
        for name in ["alpha", "beta"] {
            mark(name).await;
            for user in [format!("{name}.root"), format!("root@{name}")] {
                let mut session = Session::connect_as(&address, &user, "").await.unwrap();
                let seen = session.rows("SHOW DATABASES LIKE 'secret%'").await.unwrap();
                assert_eq!(seen.concat(), [format!("secret_of_{name}")], "{user}");
                let who = session.value("SELECT CURRENT_USER()").await.unwrap();
                assert_eq!(who, "root@%", "{user}");
            }
        }
    });
}

#[test]
fn a_client_of_alpha_reaches_beta_by_no_way() {
    run(async {
        let address = address().await;
        mark("beta").await;
        let login = |user: &str| options(&address).unwrap().user(Some(user.to_owned()));
        let (code, text) = refused(login("root")).await;
        assert_eq!(
            (code, text.contains("names no tenant")),
            (1045, true),
            "{text}"
        );
        let (code, text) = refused(login("alpha.root@beta")).await;
        assert_eq!((code, text.contains("two tenants")), (1045, true), "{text}");
        let (code, _) = refused(login("gamma.root")).await;
        assert_eq!(code, 1045);
        let (code, _) = refused(login("alpha.root").db_name(Some("secret_of_beta"))).await;
        assert_eq!(code, 1049);
        let mut alpha = Session::connect_as(&address, "alpha.root", "")
            .await
            .unwrap();
        let outcome = alpha.run("USE secret_of_beta").await.unwrap();
        assert_eq!(outcome.error.expect("unknown there").code, 1049);
        for user in ["beta.root", "root@beta", "alpha.root@beta"] {
            let mut alpha = Session::connect_as(&address, "alpha.root", "")
                .await
                .unwrap();
            let options = ChangeUserOpts::default().with_user(Some(user.to_owned()));
            let refused = alpha.driver().change_user(options).await.expect_err(user);
            assert!(
                refused.to_string().contains("two tenants"),
                "{user}: {refused}"
            );
            alpha
                .execute("DO 1")
                .await
                .expect_err("the connection has ended");
        }
    });
}

#[test]
fn changing_the_user_stays_in_the_tenant_and_forgets_the_session() {
    run(async {
        let address = address().await;
        let mut direct = stack().await.session("alpha").await.unwrap();
        direct
            .execute("CREATE USER changed IDENTIFIED BY 'secret'")
            .await
            .unwrap();
        let mut alpha = Session::connect_as(&address, "alpha.root", "")
            .await
            .unwrap();
        alpha.execute("SET @mine = 1").await.unwrap();
        let options = ChangeUserOpts::default()
            .with_user(Some("alpha.changed".to_owned()))
            .with_pass(Some("secret".to_owned()));
        alpha.driver().change_user(options).await.expect("changed");
        let seen = alpha.rows("SELECT CURRENT_USER(), @mine").await.unwrap();
        assert_eq!(seen.concat(), ["changed@%", "NULL"]);
        let wrong = ChangeUserOpts::default()
            .with_user(Some("alpha.changed".to_owned()))
            .with_pass(Some("wrong".to_owned()));
        let refused = alpha
            .driver()
            .change_user(wrong)
            .await
            .expect_err("refused");
        assert!(
            refused.to_string().contains("'alpha.changed'@"),
            "{refused}"
        );
    });
}

#[test]
fn a_route_is_explained_as_it_is_taken() {
    run(async {
        let front = front(stack().await);
        let port = front.plan().mysql.port();
        let path = format!("/v1/explain-route?user=alpha.root&port={port}");
        let taken = front.admin("GET", &path).await.unwrap();
        assert_eq!(taken["tenant"], "alpha");
        assert_eq!(taken["user"], "root");
        let refused = front
            .admin("GET", "/v1/explain-route?user=alpha.root@beta")
            .await
            .unwrap();
        assert!(
            refused["refused"]
                .as_str()
                .is_some_and(|text| text.contains("two tenants"))
        );
        let open = format!(
            "http://{}/v1/explain-route?user=alpha.root",
            front.plan().admin
        );
        assert!(
            mesh_integration::http::get_text(&open).await.is_err(),
            "a token is needed"
        );
    });
}
