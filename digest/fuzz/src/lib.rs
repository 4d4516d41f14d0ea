//! Home of the fuzz targets of `mesh-digest`, which are the tests of this package.
//!
//! They assert laws on generated texts, for `MESH_FUZZ_SECONDS` each. A package of its own, so
//! that building the digests never builds a fuzzer.
#![forbid(unsafe_code)]
