//go:build !tidb2025

package completeness

// Everything that the newest kvproto declares.
import (
	_ "github.com/pingcap/kvproto/pkg/apipb"
	_ "github.com/pingcap/kvproto/pkg/autoid"
	_ "github.com/pingcap/kvproto/pkg/brpb"
	_ "github.com/pingcap/kvproto/pkg/cdcpb"
	_ "github.com/pingcap/kvproto/pkg/configpb"
	_ "github.com/pingcap/kvproto/pkg/coprocessor"
	_ "github.com/pingcap/kvproto/pkg/db9_coprocessor"
	_ "github.com/pingcap/kvproto/pkg/deadlock"
	_ "github.com/pingcap/kvproto/pkg/debugpb"
	_ "github.com/pingcap/kvproto/pkg/diagnosticspb"
	_ "github.com/pingcap/kvproto/pkg/disaggregated"
	_ "github.com/pingcap/kvproto/pkg/disk_usage"
	_ "github.com/pingcap/kvproto/pkg/encryptionpb"
	_ "github.com/pingcap/kvproto/pkg/enginepb"
	_ "github.com/pingcap/kvproto/pkg/errorpb"
	_ "github.com/pingcap/kvproto/pkg/externalworkloadpb"
	_ "github.com/pingcap/kvproto/pkg/gcpb"
	_ "github.com/pingcap/kvproto/pkg/import_kvpb"
	_ "github.com/pingcap/kvproto/pkg/import_sstpb"
	_ "github.com/pingcap/kvproto/pkg/keyspace_encryptionpb"
	_ "github.com/pingcap/kvproto/pkg/keyspacepb"
	_ "github.com/pingcap/kvproto/pkg/kvrpcpb"
	_ "github.com/pingcap/kvproto/pkg/logbackuppb"
	_ "github.com/pingcap/kvproto/pkg/meta_storagepb"
	_ "github.com/pingcap/kvproto/pkg/metapb"
	_ "github.com/pingcap/kvproto/pkg/mpp"
	_ "github.com/pingcap/kvproto/pkg/pdpb"
	_ "github.com/pingcap/kvproto/pkg/raft_cmdpb"
	_ "github.com/pingcap/kvproto/pkg/raft_serverpb"
	_ "github.com/pingcap/kvproto/pkg/recoverdatapb"
	_ "github.com/pingcap/kvproto/pkg/replication_modepb"
	_ "github.com/pingcap/kvproto/pkg/resource_manager"
	_ "github.com/pingcap/kvproto/pkg/resource_usage_agent"
	_ "github.com/pingcap/kvproto/pkg/routerpb"
	_ "github.com/pingcap/kvproto/pkg/schedulingpb"
	_ "github.com/pingcap/kvproto/pkg/tikvpb"
	_ "github.com/pingcap/kvproto/pkg/tracepb"
	_ "github.com/pingcap/kvproto/pkg/tsopb"
)

var kvprotoFiles = []string{
	"apipb.proto",
	"autoid.proto",
	"brpb.proto",
	"cdcpb.proto",
	"configpb.proto",
	"coprocessor.proto",
	"db9_coprocessor.proto",
	"deadlock.proto",
	"debugpb.proto",
	"diagnosticspb.proto",
	"disaggregated.proto",
	"disk_usage.proto",
	"encryptionpb.proto",
	"enginepb.proto",
	"errorpb.proto",
	"externalworkloadpb.proto",
	"gcpb.proto",
	"import_kvpb.proto",
	"import_sstpb.proto",
	"keyspace_encryptionpb.proto",
	"keyspacepb.proto",
	"kvrpcpb.proto",
	"logbackuppb.proto",
	"meta_storagepb.proto",
	"metapb.proto",
	"mpp.proto",
	"pdpb.proto",
	"raft_cmdpb.proto",
	"raft_serverpb.proto",
	"recoverdatapb.proto",
	"replication_modepb.proto",
	"resource_manager.proto",
	"resource_usage_agent.proto",
	"routerpb.proto",
	"schedulingpb.proto",
	"tikvpb.proto",
	"tracepb.proto",
	"tsopb.proto",
}
