//! Home of the walker's fuzz targets, which are the tests of this package.
//!
//! They assert laws on every table of the schema, for `MESH_FUZZ_SECONDS` each (default 5). A
//! package of its own, so that building the tables never builds a fuzzer.
#![forbid(unsafe_code)]
