package main

import (
	"go/ast"
	goparser "go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// corpus emits the texts below the directories, each once, in the order of the files.
func corpus(directories []string, emit func(sql string) error) error {
	seen := map[string]struct{}{}
	once := func(sql string) error {
		if _, ok := seen[sql]; ok {
			return nil
		}
		seen[sql] = struct{}{}
		return emit(sql)
	}
	for _, directory := range directories {
		err := filepath.WalkDir(directory, func(path string, entry fs.DirEntry, err error) error {
			switch {
			case err != nil || entry.IsDir():
				return err
			case strings.HasSuffix(path, "_test.go"):
				return literals(path, once)
			case strings.HasSuffix(path, ".test") || strings.HasSuffix(path, ".sql"):
				return statements(path, once)
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// literals emits the string literals of a Go file; those joined by + both apart and joined.
func literals(path string, emit func(sql string) error) error {
	file, err := goparser.ParseFile(token.NewFileSet(), path, nil, goparser.SkipObjectResolution)
	if err != nil {
		return err
	}
	var failed error
	ast.Inspect(file, func(node ast.Node) bool {
		expression, ok := node.(ast.Expr)
		if !ok || failed != nil {
			return failed == nil
		}
		if text, ok := constant(expression); ok {
			failed = emit(text)
		}
		return true
	})
	return failed
}

func constant(expression ast.Expr) (string, bool) {
	switch node := expression.(type) {
	case *ast.BasicLit:
		if node.Kind != token.STRING {
			return "", false
		}
		text, err := strconv.Unquote(node.Value)
		return text, err == nil
	case *ast.BinaryExpr:
		left, leftOk := constant(node.X)
		right, rightOk := constant(node.Y)
		return left + right, leftOk && rightOk && node.Op == token.ADD
	}
	return "", false
}

// statements emits the pieces of a file between semicolons that end a line.
func statements(path string, emit func(sql string) error) error {
	content, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	for _, piece := range strings.SplitAfter(string(content), ";\n") {
		if err := emit(strings.TrimSpace(piece)); err != nil {
			return err
		}
	}
	return nil
}
