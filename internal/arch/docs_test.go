package arch_test

import (
	"go/ast"
	"go/doc"
	"go/parser"
	"go/token"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// public reports whether other products can import the room.
func public(room string) bool { return !isTop(room) }

func parse(t *testing.T, p pkg, names []string) (*token.FileSet, []*ast.File) {
	t.Helper()
	fset := token.NewFileSet()
	var files []*ast.File
	for _, name := range names {
		f, err := parser.ParseFile(fset, filepath.Join(p.Dir, name), nil, parser.ParseComments)
		require.NoError(t, err)
		files = append(files, f)
	}
	return fset, files
}

func TestEveryExportedNameIsDocumented(t *testing.T) {
	for _, p := range rooms(t) {
		fset, files := parse(t, p, p.GoFiles)
		d, err := doc.NewFromFiles(fset, files, p.ImportPath)
		require.NoError(t, err)
		if p.Name != "main" || d.Doc == "" {
			require.NotEmptyf(t, d.Doc, "package %s has no package comment", p.room())
		}
		for _, name := range undocumented(d) {
			t.Errorf("%s: %s is not documented", p.room(), name)
		}
	}
}

// undocumented names the exported identifiers without a comment. A comment on a const or var group covers the group.
func undocumented(d *doc.Package) []string {
	var names []string
	add := func(comment, name string) {
		if strings.TrimSpace(comment) == "" && ast.IsExported(name[strings.LastIndex(name, ".")+1:]) {
			names = append(names, name)
		}
	}
	values := func(vs []*doc.Value) {
		for _, v := range vs {
			for _, spec := range v.Decl.Specs {
				vspec := spec.(*ast.ValueSpec)
				for _, id := range vspec.Names {
					add(v.Doc+vspec.Doc.Text()+vspec.Comment.Text(), id.Name)
				}
			}
		}
	}
	values(d.Consts)
	values(d.Vars)
	for _, f := range d.Funcs {
		add(f.Doc, f.Name)
	}
	for _, typ := range d.Types {
		add(typ.Doc, typ.Name)
		values(typ.Consts)
		values(typ.Vars)
		for _, f := range typ.Funcs {
			add(f.Doc, f.Name)
		}
		for _, m := range typ.Methods {
			add(m.Doc, typ.Name+"."+m.Name)
		}
	}
	return names
}

func TestEveryPublicPackageHasAnExample(t *testing.T) {
	for _, p := range rooms(t) {
		if !public(p.room()) || p.room() == "" || slices.Contains(testRooms, p.room()) {
			continue
		}
		_, files := parse(t, p, append(append([]string{}, p.TestGoFiles...), p.XTestGoFiles...))
		require.NotEmptyf(t, doc.Examples(files...), "%s has no Example", p.room())
	}
}
