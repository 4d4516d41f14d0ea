//! The gateway: a transparent gRPC proxy between TiDB and TiKV/PD.
//!
//! One way for data, one module per phase:
//!
//! ```text
//! listener → tenant → route → decorate → forward → undecorate
//! ```
//!
//! A phase knows the ones after it only by what it hands on: a connection, a tenant, an RPC of the
//! closed table, a physical message, an answer of the storage, a logical message. Nothing of one
//! tenant is reachable without a [`tenant::Tenant`], and keys change sides only in `decorate` and
//! `undecorate`, through `mesh_keyspace`.

pub mod admin;
pub mod config;
pub mod connection;
pub mod cut;
pub mod decorate;
pub mod destroy;
pub mod drain;
pub mod etcd;
pub mod exchange;
pub mod fault;
pub mod form;
pub mod gateway;
pub mod grpc;
pub mod limits;
pub mod listener;
pub mod membership;
pub mod metrics;
pub mod pd;
pub mod pd_http;
pub mod physical_table_id;
pub mod ports;
pub mod prefixed;
pub mod route;
pub mod scoped_name;
pub mod serve;
pub mod shared_port;
pub mod store;
pub mod tenancy;
pub mod tenant;
pub mod term;
pub mod tls;
pub mod undecorate;
pub mod upstream;
pub mod workers;
