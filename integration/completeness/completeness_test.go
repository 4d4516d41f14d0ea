package completeness

import (
	"slices"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/descriptorpb"
)

const schemaRoot = "../../proto/schema"

func load(t *testing.T) (*Schema, *Protocol) {
	t.Helper()
	ours, err := Ours(schemaRoot)
	if err != nil {
		t.Fatal(err)
	}
	real, err := Real()
	if err != nil {
		t.Fatal(err)
	}
	return ours, real
}

func TestSchemaIsComplete(t *testing.T) {
	ours, real := load(t)
	for _, fault := range Faults(ours, real) {
		t.Error(fault)
	}
	rpcs := 0
	for _, service := range real.Services {
		rpcs += len(service.GetMethod())
	}
	t.Logf("%d RPCs of %d services compared", rpcs, len(real.Services))
}

// Every port's services were found by themselves.
func TestServicesOfEveryPortAreFound(t *testing.T) {
	_, real := load(t)
	for _, name := range []string{
		"tikvpb.Tikv", "import_sstpb.ImportSST", "debugpb.Debug", "diagnosticspb.Diagnostics",
		"deadlock.Deadlock", "cdcpb.ChangeData", "backup.Backup", "logbackup.LogBackup",
		"recover_data.RecoverData", "resource_usage_agent.ResourceMeteringPubSub",
		"pdpb.PD", "keyspacepb.Keyspace", "meta_storagepb.MetaStorage", "tsopb.TSO",
		"resource_manager.ResourceManager", "schedulingpb.Scheduling", "import_kvpb.ImportKV",
		"etcdserverpb.KV", "etcdserverpb.Watch", "etcdserverpb.Lease", "etcdserverpb.Cluster",
		"etcdserverpb.Maintenance", "etcdserverpb.Auth", "v3lockpb.Lock", "v3electionpb.Election",
		"grpc.health.v1.Health",
	} {
		if real.Services[name] == nil {
			t.Errorf("%s was not found", name)
		}
	}
}

// The comparison itself must notice what a newer protocol would bring.
func TestChangesAreNoticed(t *testing.T) {
	number := func(n int32) *int32 { return &n }
	changes := []struct {
		name   string
		change func(real *Protocol)
		want   string
	}{
		{"new field of a plan", func(real *Protocol) {
			scan := real.Messages["tipb.TableScan"]
			scan.Field = append(scan.Field, &descriptorpb.FieldDescriptorProto{
				Name:   proto.String("fresh"),
				Number: number(4000),
				Type:   descriptorpb.FieldDescriptorProto_TYPE_INT64.Enum(),
			})
		}, "tipb.TableScan.fresh"},
		{"another cardinality", func(real *Protocol) {
			real.Messages["kvrpcpb.GetRequest"].Field[1].Label = descriptorpb.FieldDescriptorProto_LABEL_REPEATED.Enum()
		}, "kvrpcpb.GetRequest.key"},
		{"a stream", func(real *Protocol) {
			real.Services["v3lockpb.Lock"].Method[0].ServerStreaming = proto.Bool(true)
		}, "v3lockpb.Lock.Lock"},
		{"new field", func(real *Protocol) {
			get := real.Messages["kvrpcpb.GetRequest"]
			get.Field = append(get.Field, &descriptorpb.FieldDescriptorProto{
				Name:   proto.String("fresh"),
				Number: number(4000),
				Type:   descriptorpb.FieldDescriptorProto_TYPE_BYTES.Enum(),
			})
		}, "kvrpcpb.GetRequest.fresh"},
		{"another number", func(real *Protocol) {
			real.Messages["metapb.Region"].Field[1].Number = number(4001)
		}, "metapb.Region.start_key"},
		{"another type", func(real *Protocol) {
			real.Messages["errorpb.KeyNotInRegion"].Field[0].Type = descriptorpb.FieldDescriptorProto_TYPE_UINT64.Enum()
		}, "errorpb.KeyNotInRegion.key"},
		{"another oneof", func(real *Protocol) {
			real.Messages["etcdserverpb.WatchRequest"].Field[1].OneofIndex = nil
		}, "etcdserverpb.WatchRequest.create_request"},
		{"new RPC", func(real *Protocol) {
			service := real.Services["tikvpb.Tikv"]
			fresh, _ := proto.Clone(service.Method[0]).(*descriptorpb.MethodDescriptorProto)
			fresh.Name = proto.String("KvFresh")
			service.Method = append(service.Method, fresh)
		}, "tikvpb.Tikv.KvFresh"},
		{"new service", func(real *Protocol) {
			service, _ := proto.Clone(real.Services["tikvpb.Tikv"]).(*descriptorpb.ServiceDescriptorProto)
			real.Services["tikvpb.Fresh"] = service
		}, "tikvpb.Fresh.KvGet"},
		{"new enum value", func(real *Protocol) {
			enum := real.Enums["kvrpcpb.Op"]
			enum.Value = append(enum.Value, &descriptorpb.EnumValueDescriptorProto{
				Name: proto.String("Fresh"), Number: number(99),
			})
		}, "kvrpcpb.Op.Fresh"},
	}
	for _, changed := range changes {
		t.Run(changed.name, func(t *testing.T) {
			ours, real := load(t)
			changed.change(real)
			faults := Faults(ours, real)
			if !slices.ContainsFunc(faults, func(fault string) bool { return strings.HasPrefix(fault, changed.want) }) {
				t.Errorf("no fault about %s in %q", changed.want, faults)
			}
		})
	}
}

// A refusal or an opaque field without a reason, and what the schema invents, are noticed.
func TestLapsesOfTheSchemaAreNoticed(t *testing.T) {
	changes := []struct {
		name   string
		change func(ours *Schema)
		want   string
	}{
		{"a refusal without a reason", func(ours *Schema) {
			ours.Why["tikvpb.Tikv.KvImport"] = ""
		}, "tikvpb.Tikv.KvImport: refused"},
		{"an opaque field without a reason", func(ours *Schema) {
			ours.Why["kvrpcpb.GetResponse.value"] = ""
		}, "kvrpcpb.GetResponse.value: passed"},
		{"a field that nobody else has", func(ours *Schema) {
			ours.Messages["pdpb.Member"].Field[0].Number = proto.Int32(4002)
		}, "pdpb.Member.name"},
		{"an RPC without a route", func(ours *Schema) {
			ours.Route["pdpb.PD.Tso"] = 0
		}, "pdpb.PD.Tso: no route"},
	}
	for _, changed := range changes {
		t.Run(changed.name, func(t *testing.T) {
			ours, real := load(t)
			changed.change(ours)
			faults := Faults(ours, real)
			if !slices.ContainsFunc(faults, func(fault string) bool { return strings.HasPrefix(fault, changed.want) }) {
				t.Errorf("no fault about %s in %q", changed.want, faults)
			}
		})
	}
}
