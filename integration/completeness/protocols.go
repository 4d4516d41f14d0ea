// Package completeness holds the gateway's schema against the real protocols.
//
// The gateway refuses what its schema does not know, so a field that the schema lacks breaks a
// client, and a field with another number or type reads wrong bytes as keys. What must stay true:
// every RPC that a store or PD serves is listed with a route, every field of every message that a
// routed RPC can carry has the real number, type, label and oneof, and whatever is refused or not
// looked into has its reason in the schema. Nothing is listed by hand: a newer version of a
// protocol brings its files, services and fields with it, and each fails until somebody decides.
package completeness

import (
	"context"
	"errors"
	"fmt"

	"github.com/bufbuild/protocompile"
	health "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/descriptorpb"
)

// Protocol is a set of descriptors by full name.
type Protocol struct {
	Messages map[string]*descriptorpb.DescriptorProto
	Enums    map[string]*descriptorpb.EnumDescriptorProto
	Services map[string]*descriptorpb.ServiceDescriptorProto
}

// Real compiles the sources of the real protocols: kvproto, tipb, etcd, and gRPC's health service.
func Real() (*Protocol, error) {
	real := emptyProtocol()
	real.add(protodesc.ToFileDescriptorProto(health.File_grpc_health_v1_health_proto))
	for _, family := range families() {
		if err := real.addFamily(family); err != nil {
			return nil, err
		}
	}
	return real, nil
}

func emptyProtocol() *Protocol {
	return &Protocol{
		Messages: map[string]*descriptorpb.DescriptorProto{},
		Enums:    map[string]*descriptorpb.EnumDescriptorProto{},
		Services: map[string]*descriptorpb.ServiceDescriptorProto{},
	}
}

func (p *Protocol) addFamily(family family) error {
	names, err := family.names()
	if err != nil {
		return err
	}
	if len(names) == 0 {
		return errors.New("no sources found beside a module's code: are paths trimmed (-trimpath)?")
	}
	compiler := protocompile.Compiler{Resolver: family.resolver()}
	files, err := compiler.Compile(context.Background(), names...)
	if err != nil {
		return fmt.Errorf("a real protocol does not compile: %w", err)
	}
	added := map[string]bool{}
	for _, file := range files {
		p.addWithImports(file, added)
	}
	return nil
}

func (p *Protocol) addWithImports(file protoreflect.FileDescriptor, added map[string]bool) {
	if added[file.Path()] {
		return
	}
	added[file.Path()] = true
	p.add(protodesc.ToFileDescriptorProto(file))
	for i := range file.Imports().Len() {
		p.addWithImports(file.Imports().Get(i).FileDescriptor, added)
	}
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
