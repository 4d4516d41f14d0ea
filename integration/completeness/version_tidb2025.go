//go:build tidb2025

package completeness

// The kvproto of the pinned TiDB, by tidb2025.mod: the schema knows later fields, too.
const newest = false
