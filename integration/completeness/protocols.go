// Package completeness holds the gateway's schema against the real protocols.
//
// The gateway refuses what its schema does not know, so a field that the schema lacks breaks a
// client, and a field with another number or type reads wrong bytes as keys. What must stay true:
// every RPC that a store or PD serves is listed with a route, and every field of every message
// that a routed RPC can carry has the real number, type, label and oneof.
package completeness

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"

	gogo "github.com/gogo/protobuf/proto"
	golang "github.com/golang/protobuf/proto"
	_ "github.com/pingcap/tipb/go-tipb"
	_ "go.etcd.io/etcd/api/v3/etcdserverpb"
	_ "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/descriptorpb"
)

// Files of the real protocols beside those of kvproto, by their name in the registry.
var tipbFiles = []string{
	"schema.proto", "expression.proto", "executor.proto", "select.proto", "analyze.proto",
	"checksum.proto",
}

var grpcFiles = []string{"kv.proto", "auth.proto", "rpc.proto", "grpc/health/v1/health.proto"}

// Protocol is a set of real descriptors by full name.
type Protocol struct {
	Messages map[string]*descriptorpb.DescriptorProto
	Enums    map[string]*descriptorpb.EnumDescriptorProto
	Services map[string]*descriptorpb.ServiceDescriptorProto
}

// Real reads the descriptors that the generated Go code of the real protocols carries.
func Real() (*Protocol, error) {
	real := emptyProtocol()
	for _, names := range [][]string{kvprotoFiles, tipbFiles, grpcFiles} {
		for _, name := range names {
			if err := real.addPacked(name, packed(name)); err != nil {
				return nil, err
			}
		}
	}
	return real, nil
}

// packed finds a file in whichever of the two registries its generator uses.
func packed(name string) []byte {
	if file := gogo.FileDescriptor(name); file != nil {
		return file
	}
	return golang.FileDescriptor(name) //nolint:staticcheck // generated code registers there
}

func emptyProtocol() *Protocol {
	return &Protocol{
		Messages: map[string]*descriptorpb.DescriptorProto{},
		Enums:    map[string]*descriptorpb.EnumDescriptorProto{},
		Services: map[string]*descriptorpb.ServiceDescriptorProto{},
	}
}

func (p *Protocol) addPacked(name string, packed []byte) error {
	if packed == nil {
		return fmt.Errorf("%s is not registered", name)
	}
	reader, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	plain, err := io.ReadAll(reader)
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	file := &descriptorpb.FileDescriptorProto{}
	if err := proto.Unmarshal(plain, file); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	p.add(file)
	return nil
}

func (p *Protocol) add(file *descriptorpb.FileDescriptorProto) {
	scope := file.GetPackage()
	for _, message := range file.GetMessageType() {
		p.addMessage(scope, message)
	}
	for _, enum := range file.GetEnumType() {
		p.Enums[scope+"."+enum.GetName()] = enum
	}
	for _, service := range file.GetService() {
		p.Services[scope+"."+service.GetName()] = service
	}
}

func (p *Protocol) addMessage(scope string, message *descriptorpb.DescriptorProto) {
	name := scope + "." + message.GetName()
	p.Messages[name] = message
	for _, nested := range message.GetNestedType() {
		p.addMessage(name, nested)
	}
	for _, enum := range message.GetEnumType() {
		p.Enums[name+"."+enum.GetName()] = enum
	}
}
