//! The laws of the codec as functions.
