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
}

// The comparison itself must notice what a newer protocol would bring.
func TestChangesAreNoticed(t *testing.T) {
	number := func(n int32) *int32 { return &n }
	changes := []struct {
		name   string
		change func(real *Protocol)
		want   string
	}{
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
