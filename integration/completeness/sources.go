package completeness

import (
	"bytes"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"reflect"
	"runtime"
	"strings"

	"github.com/bufbuild/protocompile"
	"github.com/pingcap/kvproto/pkg/metapb"
	"github.com/pingcap/tipb/sharedbytes"
	"go.etcd.io/etcd/api/v3/version"
	"go.etcd.io/etcd/server/v3/etcdserver/api/v2error"
	_ "google.golang.org/genproto/googleapis/api/annotations"
	"google.golang.org/protobuf/reflect/protoregistry"
)

// tree is a folder of .proto files and the prefix under which they import each other.
type tree struct {
	prefix, dir string
}

// family is a set of protocols that are compiled together: whatever lies in its trees, so that a
// file that a newer version brings is compared without being named here.
type family struct {
	trees []tree
	// Trees that are only imported from.
	imported []tree
	// Only files that declare a service, and what they import: the others are the server's own, and
	// import each other by names of their own.
	services bool
}

// families finds the sources inside the very modules that are linked into the test: a function of
// each tells where its module lies.
func families() []family {
	kvproto := moduleOf((*metapb.Region).Reset, "pkg")
	tipb := moduleOf(sharedbytes.SharedBytes.Size, "sharedbytes")
	etcdAPI := moduleOf(version.Cluster, "version")
	etcdServer := moduleOf(v2error.NewError, "etcdserver")
	return []family{
		{
			trees:    []tree{{"", kvproto + "/proto"}},
			imported: []tree{{"", kvproto + "/include"}},
		},
		{
			trees:    []tree{{"", tipb + "/proto"}},
			imported: []tree{{"", tipb + "/include"}},
		},
		{
			trees:    []tree{{"etcd/api/", etcdAPI}, {"etcd/server/", etcdServer}},
			imported: []tree{{"", kvproto + "/include"}},
			services: true,
		},
	}
}

// moduleOf is the folder above `below` on the way to the file that declares a function.
func moduleOf(function any, below string) string {
	file, _ := runtime.FuncForPC(reflect.ValueOf(function).Pointer()).FileLine(reflect.ValueOf(function).Pointer())
	file = filepath.ToSlash(file)
	return file[:max(0, strings.LastIndex(file, "/"+below+"/"))]
}

// names lists the files of the family as they import each other.
func (f family) names() ([]string, error) {
	var names []string
	for _, tree := range f.trees {
		err := filepath.WalkDir(tree.dir, func(file string, _ fs.DirEntry, err error) error {
			if err == nil && strings.HasSuffix(file, ".proto") && f.wants(file) {
				below, relErr := filepath.Rel(tree.dir, file)
				names = append(names, tree.prefix+filepath.ToSlash(below))
				return relErr
			}
			return err
		})
		if err != nil {
			return nil, err
		}
	}
	return names, nil
}

func (f family) wants(file string) bool {
	text, err := os.ReadFile(file)
	return !f.services || err == nil && bytes.Contains(text, []byte("\nservice "))
}

func (f family) resolver() protocompile.Resolver {
	resolvers := protocompile.CompositeResolver{protocompile.ResolverFunc(googles)}
	for _, tree := range append(append([]tree{}, f.trees...), f.imported...) {
		resolvers = append(resolvers, protocompile.ResolverFunc(func(name string) (protocompile.SearchResult, error) {
			below, inside := strings.CutPrefix(name, tree.prefix)
			if !inside {
				return protocompile.SearchResult{}, fs.ErrNotExist
			}
			source := protocompile.SourceResolver{ImportPaths: []string{tree.dir}}
			return source.FindFileByPath(path.Clean(below))
		}))
	}
	return protocompile.WithStandardImports(resolvers)
}

// googles are files that belong to no protocol, but whose options some of them use: as this test
// has them linked in, so that there is one of each.
func googles(name string) (protocompile.SearchResult, error) {
	if !strings.HasPrefix(name, "google/") {
		return protocompile.SearchResult{}, fs.ErrNotExist
	}
	file, err := protoregistry.GlobalFiles.FindFileByPath(name)
	return protocompile.SearchResult{Desc: file}, err
}
