//! Opening a store in PostgreSQL: the schema, addresses, and servers that cannot be used. `need!` skips a test on a
//! machine without PostgreSQL.

use pilotlight_store::Error;
use pilotlight_testkit::need;
use pilotlight_testkit::postgres::PostgresCluster;
use pilotlight_testkit::wait::wait_until_async;

use crate::fixture::{at, open, submission, submit, try_open};

#[tokio::test]
async fn the_tables_are_created_once_in_a_schema_of_their_own() {
    need!("postgresql");
    let server = PostgresCluster::shared();
    let address = server.database();
    // A table of another program with the same name.
    server.sql(&address, "CREATE TABLE jobs (other_program INT)");
    let job = submit(&*open(&address).await, submission("render", 1)).await;
    let again = open(&address).await;
    assert!(again.job(job.id).await.unwrap().is_some());
    assert_eq!(
        server.sql(&address, "SELECT name, value FROM pilotlight.meta ORDER BY name"),
        "readable_from|1\nschema|1"
    );
}

#[tokio::test]
async fn a_newer_schema_is_used_unless_it_needs_a_newer_program() {
    need!("postgresql");
    let server = PostgresCluster::shared();
    let address = server.database();
    open(&address).await;

    // `readable_from` is the oldest schema number whose programs may still use the store. It is 1 here.
    server.sql(&address, "UPDATE pilotlight.meta SET value = 2 WHERE name = 'schema'");
    open(&address).await;
    server.sql(&address, "UPDATE pilotlight.meta SET value = 2 WHERE name = 'readable_from'");
    let error = try_open(&address).await.unwrap_err();
    assert!(matches!(error, Error::SchemaTooNew { found: 2, known: 1 }), "{error:?}");
}

#[tokio::test]
async fn a_commit_is_on_disk_even_when_the_database_disables_synchronous_commit() {
    need!("postgresql");
    let server = PostgresCluster::start();
    let address = server.database();
    server.sql(&address, "ALTER ROLE pilotlight SET synchronous_commit = off");
    let store = open(&address).await;
    submit(&*store, submission("render", 1)).await;
    let flushed = "SELECT pg_current_wal_insert_lsn() = pg_current_wal_flush_lsn()";
    assert_eq!(server.sql(&address, "SHOW synchronous_commit"), "off");
    assert_eq!(server.sql(&address, flushed), "t");
}

#[tokio::test]
async fn a_password_is_used_and_never_shown() {
    need!("postgresql");
    let server = PostgresCluster::shared();
    let address = server.database_over_tcp();
    let store = open(&address).await;
    assert!(!format!("{store:?}").contains("s3cret"));

    let (_, database) = address.rsplit_once('/').expect("an address names a database");
    for (from, to, expected) in [
        ("s3cret", "s3cret-other", "password is wrong"),
        (database, "elsewhere", "no such database"),
        // Two `@` make the address invalid.
        ("127.0.0.1", "127.0.0.1:1@x", "address"),
    ] {
        let error = try_open(&address.replace(from, to)).await.unwrap_err();
        let text = format!("{error} {error:?}");
        assert!(text.contains(expected) && !text.contains("s3cret"), "{text}");
    }
}

#[tokio::test]
async fn an_unreachable_server_is_reported_at_once() {
    need!("postgresql");
    let address = "postgres://u:s3cret@127.0.0.1:1/jobs";
    let error = try_open(address).await.unwrap_err().to_string();
    assert!(error.contains("PostgreSQL at 127.0.0.1:1/jobs") && error.contains("refused"), "{error}");
}

#[tokio::test]
async fn a_dropped_store_leaves_no_connection() {
    need!("postgresql");
    let server = PostgresCluster::shared();
    let address = server.database();
    let store = open(&address).await;
    store.counts(at(0), at(1)).await.unwrap();
    drop(store);
    let connections = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'pilotlight' \
                  AND datname = current_database()";
    wait_until_async("the connections of the store are closed", async || {
        server.sql(&address, connections) == "0"
    })
    .await;
}
