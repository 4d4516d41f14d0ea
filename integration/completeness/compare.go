package completeness

import (
	"fmt"
	"slices"
	"strings"

	"google.golang.org/protobuf/types/descriptorpb"
)

// Neither a store nor PD serves these, so no tenant can send them our way.
var notOurs = map[string]string{
	"autoid.AutoIDAlloc":       "TiDB serves it",
	"tipb.TopSQLPubSub":        "TiDB serves it",
	"tipb.TopSQLAgent":         "a monitoring agent serves it",
	"tipb.tici.IndexerService": "an index server beside TiFlash serves it",
}

// Messages that sit encoded inside bytes of routed messages.
var embedded = []string{
	"tipb.DAGRequest", "tipb.SelectResponse", "tipb.StreamResponse", "tipb.AnalyzeReq",
	"tipb.ChecksumRequest", "tipb.ChecksumResponse",
}

// Enums of which the schema names only the values that the gateway looks at.
var partialEnums = []string{"tipb.ScalarFuncSig"}

// Faults lists everything in which the schema falls short of the real protocol or contradicts it.
func Faults(ours *Schema, real *Protocol) []string {
	faults := rpcFaults(ours, real)
	roots := append([]string{}, embedded...)
	for name, service := range real.Services {
		for _, method := range service.GetMethod() {
			if route := ours.Route[name+"."+method.GetName()]; route != 0 && route != routeRefuse {
				roots = append(roots, full(method.GetInputType()), full(method.GetOutputType()))
			}
		}
	}
	for _, name := range reachable(ours, real, append(roots, written(ours, real)...)) {
		faults = append(faults, messageFaults(ours, real, name)...)
	}
	faults = append(faults, reasonFaults(ours)...)
	if newest {
		faults = append(faults, inventions(ours, real)...)
	}
	slices.Sort(faults)
	return faults
}

// written names the real messages of which the schema says anything at all. Messages of refused
// RPCs stay empty: the gateway never reads them.
func written(ours *Schema, real *Protocol) []string {
	var names []string
	for name, message := range ours.Messages {
		if len(message.GetField()) > 0 && real.Messages[name] != nil {
			names = append(names, name)
		}
	}
	return names
}

// reasonFaults lists what is refused or passed unseen without a word why.
func reasonFaults(ours *Schema) []string {
	var faults []string
	for method, route := range ours.Route {
		if route == routeRefuse && ours.Why[method] == "" {
			faults = append(faults, method+": refused without refuse_why")
		}
	}
	for field, class := range ours.Class {
		if (class == classOpaque || class == classForbidden) && ours.Why[field] == "" {
			faults = append(faults, field+": passed unseen or forbidden without why")
		}
	}
	return faults
}

// inventions lists what the schema has and the real protocol does not. tipb's sources are only to
// be had in an older version than the schema knows.
func inventions(ours *Schema, real *Protocol) []string {
	var faults []string
	for name, message := range ours.Messages {
		if strings.HasPrefix(name, "tipb.") {
			continue
		}
		if real.Messages[name] == nil {
			faults = append(faults, name+": no such message in the real protocol")
			continue
		}
		for _, field := range message.GetField() {
			known := func(other *descriptorpb.FieldDescriptorProto) bool {
				return other.GetNumber() == field.GetNumber()
			}
			if !slices.ContainsFunc(real.Messages[name].GetField(), known) {
				faults = append(faults, fmt.Sprintf("%s.%s = %d: no such field in the real protocol",
					name, field.GetName(), field.GetNumber()))
			}
		}
	}
	for name, service := range ours.Services {
		for _, method := range service.GetMethod() {
			known := func(other *descriptorpb.MethodDescriptorProto) bool {
				return other.GetName() == method.GetName()
			}
			if !slices.ContainsFunc(real.Services[name].GetMethod(), known) {
				faults = append(faults, name+"."+method.GetName()+": no such RPC in the real protocol")
			}
		}
	}
	return faults
}

func rpcFaults(ours *Schema, real *Protocol) []string {
	var faults []string
	for name, service := range real.Services {
		if _, elsewhere := notOurs[name]; elsewhere {
			continue
		}
		listed := map[string]*descriptorpb.MethodDescriptorProto{}
		for _, method := range ours.Services[name].GetMethod() {
			listed[method.GetName()] = method
		}
		for _, method := range service.GetMethod() {
			path := name + "." + method.GetName()
			switch mine := listed[method.GetName()]; {
			case mine == nil:
				faults = append(faults, path+": no such RPC in the schema")
			case signature(mine) != signature(method):
				faults = append(faults, fmt.Sprintf("%s: is %s, the schema says %s", path, signature(method), signature(mine)))
			case ours.Route[path] == 0:
				faults = append(faults, path+": no route")
			}
		}
	}
	return faults
}

func signature(method *descriptorpb.MethodDescriptorProto) string {
	return fmt.Sprintf("(%s stream=%t) returns (%s stream=%t)", full(method.GetInputType()),
		method.GetClientStreaming(), full(method.GetOutputType()), method.GetServerStreaming())
}

// reachable names the messages that the roots can carry. What the schema forbids, or copies as
// bytes that it does not look into, carries nothing.
func reachable(ours *Schema, real *Protocol, roots []string) []string {
	seen := map[string]bool{}
	for len(roots) > 0 {
		name := roots[0]
		roots = roots[1:]
		if seen[name] {
			continue
		}
		seen[name] = true
		for _, field := range real.Messages[name].GetField() {
			class := ours.Class[name+"."+field.GetName()]
			if isMessage(field) && class != classForbidden && class != classOpaque {
				roots = append(roots, full(field.GetTypeName()))
			}
		}
	}
	names := make([]string, 0, len(seen))
	for name := range seen {
		names = append(names, name)
	}
	return names
}

func messageFaults(ours *Schema, real *Protocol, name string) []string {
	mine := ours.Messages[name]
	if mine == nil {
		return []string{name + ": no such message in the schema"}
	}
	listed := map[int32]*descriptorpb.FieldDescriptorProto{}
	for _, field := range mine.GetField() {
		listed[field.GetNumber()] = field
	}
	var faults []string
	for _, field := range real.Messages[name].GetField() {
		path := fmt.Sprintf("%s.%s = %d", name, field.GetName(), field.GetNumber())
		candidate := listed[field.GetNumber()]
		if candidate == nil {
			faults = append(faults, path+": no such field in the schema")
			continue
		}
		want := fact(real.Messages[name], real.Messages[name], field)
		got := fact(mine, real.Messages[name], candidate)
		if got != want && !asBytes(ours, name, field, candidate) {
			faults = append(faults, fmt.Sprintf("%s: is %s, the schema says %s", path, want, got))
		}
		if field.GetType() == descriptorpb.FieldDescriptorProto_TYPE_ENUM {
			faults = append(faults, enumFaults(ours, real, full(field.GetTypeName()))...)
		}
	}
	return faults
}

// fact is what must agree about a field: how it is written, and which of the fields that the real
// message has exclude it. A newer field may share an oneof with an older one that stood alone.
func fact(message, real *descriptorpb.DescriptorProto, field *descriptorpb.FieldDescriptorProto) string {
	kind := strings.TrimPrefix(field.GetType().String(), "TYPE_")
	label := strings.TrimPrefix(field.GetLabel().String(), "LABEL_")
	known := func(number int32) bool {
		return slices.ContainsFunc(real.GetField(), func(other *descriptorpb.FieldDescriptorProto) bool {
			return other.GetNumber() == number
		})
	}
	var excludes []int32
	for _, other := range message.GetField() {
		if sameOneof(field, other) && known(other.GetNumber()) {
			excludes = append(excludes, other.GetNumber())
		}
	}
	slices.Sort(excludes)
	return fmt.Sprintf("%s %s %s %s, excluding %v", label, kind, full(field.GetTypeName()), field.GetName(), excludes)
}

func sameOneof(one, other *descriptorpb.FieldDescriptorProto) bool {
	return one.GetNumber() != other.GetNumber() && one.OneofIndex != nil && other.OneofIndex != nil &&
		one.GetOneofIndex() == other.GetOneofIndex()
}

// asBytes tells whether the schema carries as bytes, which look the same on the wire, what is a
// string that nobody checks for UTF-8, or a message that the gateway does not look into.
func asBytes(ours *Schema, message string, real, mine *descriptorpb.FieldDescriptorProto) bool {
	alike := mine.GetType() == descriptorpb.FieldDescriptorProto_TYPE_BYTES &&
		mine.GetLabel() == real.GetLabel() && mine.GetName() == real.GetName()
	class := ours.Class[message+"."+mine.GetName()]
	switch real.GetType() {
	case descriptorpb.FieldDescriptorProto_TYPE_STRING:
		return alike && strings.HasPrefix(message, "tipb.")
	case descriptorpb.FieldDescriptorProto_TYPE_MESSAGE:
		return alike && class == classOpaque
	default:
		return false
	}
}

func enumFaults(ours *Schema, real *Protocol, name string) []string {
	mine := map[string]int32{}
	for _, value := range ours.Enums[name].GetValue() {
		mine[value.GetName()] = value.GetNumber()
	}
	var faults []string
	for _, value := range real.Enums[name].GetValue() {
		number, listed := mine[value.GetName()]
		if listed && number != value.GetNumber() || !listed && !slices.Contains(partialEnums, name) {
			faults = append(faults, fmt.Sprintf("%s.%s = %d: not so in the schema", name, value.GetName(), value.GetNumber()))
		}
	}
	return faults
}

func isMessage(field *descriptorpb.FieldDescriptorProto) bool {
	return field.GetType() == descriptorpb.FieldDescriptorProto_TYPE_MESSAGE
}

func full(typeName string) string {
	return strings.TrimPrefix(typeName, ".")
}
