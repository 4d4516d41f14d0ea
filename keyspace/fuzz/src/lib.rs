//! Home of the key codec's fuzz targets, which are the tests of this package.
//!
//! They assert the laws of `mesh_keyspace::laws` on generated cases, for `MESH_FUZZ_SECONDS` each.
//! A package of its own, so that building the codec never builds a fuzzer.
#![forbid(unsafe_code)]
