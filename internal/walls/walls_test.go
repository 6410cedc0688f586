package walls_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const (
	maxMethods = 25 // of a type, without those that it embeds
	maxFiles   = 28 // of a package, without tests
)

func TestWalls(t *testing.T) {
	files, methods := map[string]int{}, map[string]int{}
	err := filepath.WalkDir("../..", func(path string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir() && path != "../.." && strings.HasPrefix(entry.Name(), "."):
			return filepath.SkipDir
		case entry.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go"):
			return nil
		}
		pkg, _ := filepath.Rel("../..", filepath.Dir(path))
		files[pkg]++
		return countMethods(path, pkg, methods)
	})
	if err != nil {
		t.Fatal(err)
	}
	if files["internal/provider"] == 0 || methods["internal/provider.switchResource"] == 0 {
		t.Fatal("the code was not found")
	}
	for what, c := range map[string]struct {
		counts map[string]int
		limit  int
	}{"files": {files, maxFiles}, "methods": {methods, maxMethods}} {
		for _, name := range slices.Sorted(maps.Keys(c.counts)) {
			if c.counts[name] > c.limit {
				t.Errorf("%s has %d %s; the limit is %d", name, c.counts[name], what, c.limit)
			}
		}
	}
}

// countMethods counts the methods of each type of a file.
func countMethods(path, pkg string, methods map[string]int) error {
	file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
	if err != nil {
		return err
	}
	for _, d := range file.Decls {
		f, ok := d.(*ast.FuncDecl)
		if !ok || f.Recv == nil || len(f.Recv.List) == 0 {
			continue
		}
		of := f.Recv.List[0].Type
		if star, ok := of.(*ast.StarExpr); ok {
			of = star.X
		}
		if generic, ok := of.(*ast.IndexExpr); ok {
			of = generic.X
		}
		if name, ok := of.(*ast.Ident); ok {
			methods[pkg+"."+name.Name]++
		}
	}
	return nil
}
