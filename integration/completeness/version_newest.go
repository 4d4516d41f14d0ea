//go:build !tidb2025

package completeness

// Whether kvproto and etcd are the newest that the schema was written against: then it may hold
// nothing that they don't.
const newest = true
