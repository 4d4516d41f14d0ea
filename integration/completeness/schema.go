package completeness

import (
	"context"
	"fmt"
	"io/fs"
	"path/filepath"
	"strings"

	"github.com/bufbuild/protocompile"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// Numbers of the annotations that proto/schema/mesh/options.proto declares.
const (
	classOption     = 50001
	whyOption       = 50003
	routeOption     = 50021
	refuseWhyOption = 50022
)

// Values of those annotations that matter here.
const (
	classOpaque    = 1
	classForbidden = 20
	routeRefuse    = 3
)

// Schema is ours: descriptors, and what the annotations say about them.
type Schema struct {
	Protocol
	// Class by full field name, route by full method name.
	Class map[string]int
	Route map[string]int
	// Reason by full name of a field or method.
	Why map[string]string
}

// Ours compiles every file beneath root, the folder of the gateway's schema.
func Ours(root string) (*Schema, error) {
	var names []string
	err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err == nil && strings.HasSuffix(path, ".proto") {
			name, relErr := filepath.Rel(root, path)
			if relErr != nil {
				return relErr
			}
			names = append(names, filepath.ToSlash(name))
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	source := &protocompile.SourceResolver{ImportPaths: []string{root}}
	compiler := protocompile.Compiler{Resolver: protocompile.WithStandardImports(source)}
	files, err := compiler.Compile(context.Background(), names...)
	if err != nil {
		return nil, fmt.Errorf("schema does not compile: %w", err)
	}
	schema := &Schema{Protocol: *emptyProtocol(), Class: map[string]int{}, Route: map[string]int{}, Why: map[string]string{}}
	for _, file := range files {
		if strings.HasPrefix(string(file.Package()), "mesh") {
			continue
		}
		schema.add(protodesc.ToFileDescriptorProto(file))
		schema.noteMessages(file.Messages())
		schema.noteMethods(file.Services())
	}
	return schema, nil
}

func (s *Schema) noteMessages(messages protoreflect.MessageDescriptors) {
	for i := range messages.Len() {
		message := messages.Get(i)
		for j := range message.Fields().Len() {
			field := message.Fields().Get(j)
			s.Class[string(field.FullName())] = option(field, classOption)
			s.Why[string(field.FullName())] = reason(field, whyOption)
		}
		s.noteMessages(message.Messages())
	}
}

func (s *Schema) noteMethods(services protoreflect.ServiceDescriptors) {
	for i := range services.Len() {
		methods := services.Get(i).Methods()
		for j := range methods.Len() {
			method := methods.Get(j)
			s.Route[string(method.FullName())] = option(method, routeOption)
			s.Why[string(method.FullName())] = reason(method, refuseWhyOption)
		}
	}
}

// reason is the text of an annotation.
func reason(of protoreflect.Descriptor, number protoreflect.FieldNumber) string {
	found := ""
	of.Options().ProtoReflect().Range(func(field protoreflect.FieldDescriptor, value protoreflect.Value) bool {
		if field.Number() == number && field.Kind() == protoreflect.StringKind {
			found = value.String()
		}
		return true
	})
	return found
}

// option is the number of an enum annotation; 0 when there is none.
func option(of protoreflect.Descriptor, number protoreflect.FieldNumber) int {
	found := 0
	of.Options().ProtoReflect().Range(func(field protoreflect.FieldDescriptor, value protoreflect.Value) bool {
		if field.Number() == number && field.Enum() != nil {
			found = int(value.Enum())
		}
		return true
	})
	return found
}
