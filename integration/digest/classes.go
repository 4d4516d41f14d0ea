package main

import (
	"fmt"
	"strings"

	"github.com/pingcap/tidb/pkg/parser"
	_ "github.com/pingcap/tidb/pkg/parser/test_driver"
)

// classes names the types of the statements that TiDB's parser finds, and the lengths of their
// texts; "!" if it refuses the text. The parser's test driver panics on some numbers.
func classes(sql string) (found string) {
	defer func() {
		if recover() != nil {
			found = "!"
		}
	}()
	p := parser.New()
	nodes, _, err := p.ParseSQL(sql)
	if err != nil {
		return "!"
	}
	names := make([]string, 0, len(nodes))
	for _, node := range nodes {
		names = append(names, fmt.Sprintf("%T\t%d", node, len(node.OriginalText())))
	}
	return strings.Join(names, "\n")
}
