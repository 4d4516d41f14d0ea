//! The closed set of things a field can hold.
//!
//! Mirrors `schema/mesh/options.proto`; the build step maps one to the other by name, so a class
//! that exists on one side only stops the build.

/// What a field holds, as the schema says it. See `schema/mesh/options.proto` for each meaning.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Class {
    /// A number or message without a class of its own.
    Undecided,
    /// Passed byte for byte.
    Opaque,
    /// One raw key.
    RawKey,
    /// Start of a raw range.
    RawStart,
    /// End of a raw range.
    RawEnd,
    /// The bool that turns a range around.
    Reverse,
    /// One memcomparable-encoded key.
    EncodedKey,
    /// Start of an encoded range.
    EncodedStart,
    /// End of an encoded range.
    EncodedEnd,
    /// Encoded boundaries, first and last being the region's own.
    BucketKeys,
    /// Text for people that may hold key dumps.
    Text,
    /// host:port or URL of a server.
    Address,
    /// A physical table id.
    TableId,
    /// Fingerprint of the raw physical key that the message carries.
    KeyHash,
    /// Bytes that hold another message.
    Nested,
    /// A name that all tenants of the storage share.
    ScopedName,
    /// A key in PD's etcd.
    EtcdKey,
    /// A range end in PD's etcd.
    EtcdRangeEnd,
    /// An etcd lease id.
    LeaseId,
    /// A region id.
    RegionId,
    /// Never accepted.
    Forbidden,
}

/// How a key, or both ends of a range, are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Form {
    /// As a client wrote it.
    Raw,
    /// Memcomparable, without timestamp.
    Encoded,
    /// A key of PD's etcd; an empty end means the single key, `\0` everything from the key on.
    Etcd,
}
