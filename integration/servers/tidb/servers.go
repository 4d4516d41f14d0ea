//go:build servers

// Package servers keeps TiDB's main package in this module's requirements.
// The build tag is never set: the file is read by the module tools only.
package servers

import _ "github.com/pingcap/tidb/cmd/tidb-server"
