//! A login through the front ends as a direct one does: OK, or the same error.

use mesh_integration::sql::{Session, SqlError, refusal};

use super::{address, alpha_direct, stack};
use crate::runner::run;

async fn login(address: &str, user: &str, password: &str) -> Result<String, Option<SqlError>> {
    match Session::connect_as(address, user, password).await {
        Ok(mut session) => Ok(session.value("SELECT CURRENT_USER()").await.expect("who")),
        Err(error) => Err(refusal(&error)),
    }
}

#[test]
fn logins_end_as_they_do_directly() {
    run(async {
        let (front, direct) = (address().await, alpha_direct().await);
        let mut session = stack().await.session("alpha").await.unwrap();
        let users = [
            "plain IDENTIFIED BY 'secret'",
            "empty",
            "sha2 IDENTIFIED WITH caching_sha2_password BY 'secret'",
            "sm3 IDENTIFIED WITH tidb_sm3_password BY 'secret'",
            "secure IDENTIFIED BY 'secret' REQUIRE SSL",
            "closed IDENTIFIED BY 'secret' ACCOUNT LOCK",
        ];
        for user in users {
            session
                .execute(&format!("CREATE USER l_{user}"))
                .await
                .unwrap();
        }
        let mut succeeded = 0;
        for user in [
            "plain", "empty", "sha2", "sm3", "secure", "closed", "nobody",
        ] {
            for password in ["secret", "wrong", ""] {
                let expected = login(&direct, &format!("l_{user}"), password).await;
                let written = format!("alpha.l_{user}");
                let mut got = login(&front, &written, password).await;
                if let Err(Some(error)) = &mut got {
                    // The name is told as the client wrote it.
                    error.message = error.message.replacen("'alpha.", "'", 1);
                }
                succeeded += usize::from(got.is_ok());
                assert_eq!(got, expected, "{user} with {password:?}");
            }
        }
        assert!(succeeded >= 2, "{succeeded} logins succeeded");
    });
}

#[test]
fn the_server_knows_tenant_session_and_address_of_the_client() {
    run(async {
        let mut session = Session::connect_as(&address().await, "alpha.root", "")
            .await
            .unwrap();
        let attributes = "SELECT attr_name, attr_value FROM performance_schema.session_connect_attrs \
            WHERE processlist_id = CONNECTION_ID() AND attr_name LIKE '_mesh%' ORDER BY attr_name";
        let id = session.id();
        let seen = session.rows(attributes).await.unwrap();
        assert_eq!(seen[1], ["_mesh_session".to_owned(), id.to_string()]);
        assert_eq!(seen[2], ["_mesh_tenant", "alpha"]);
        assert!(seen[0][1].starts_with("127.0.0.1:"), "{seen:?}");
    });
}
