package main

import (
	"context"
	"encoding/json"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
)

// mutant is one change of the code.
type mutant struct {
	id       int
	file     string
	line     int
	function string
	from, to string
	nth      int // among those of the same text in the same function
	killed   bool
}

// String names the mutant so that the name outlives changes elsewhere in the file.
func (m *mutant) String() string {
	name := fmt.Sprintf("%s %s: %s -> %s", m.file, m.function, m.from, m.to)
	if m.nth > 1 {
		name += fmt.Sprintf(" (%d)", m.nth)
	}
	return name
}

// support is compiled into the package beside the mutants.
const support = `package %s

import (
	"os"
	"strconv"
)

var mutantAlive, _ = strconv.Atoi(os.Getenv("TOMKIT_MUTANT"))

func mutantPick[T any](id int, original, changed T) T {
	if mutantAlive == id {
		return changed
	}
	return original
}

func mutantAnd(id int, l, r func() bool) bool {
	if mutantAlive == id {
		return l() || r()
	}
	return l() && r()
}

func mutantOr(id int, l, r func() bool) bool {
	if mutantAlive == id {
		return l() && r()
	}
	return l() || r()
}
`

// build compiles all mutants into one test binary. Changes that the compiler refuses are left out.
func build(ctx context.Context, c config, work, binary string) ([]*mutant, error) {
	refused := map[string]bool{} // "file:line kind"
	var last []string
	for range 20 {
		w := &writer{dir: c.dir, refused: refused, names: map[string]int{}}
		overlay := map[string]string{}
		for _, file := range c.files {
			text, err := w.mutate(file)
			if err != nil {
				return nil, err
			}
			path := filepath.Join(work, file)
			if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
				return nil, err
			}
			original, err := filepath.Abs(filepath.Join(c.dir, file))
			if err != nil {
				return nil, err
			}
			overlay[original] = path
		}
		errors, err := compile(ctx, c.dir, work, binary, w.name, overlay)
		if err != nil {
			return nil, err
		}
		if len(errors) == 0 {
			return w.mutants, nil
		}
		last = errors
		for _, at := range errors {
			// Arithmetic on texts, constants of a type the context gives, a return that is missing: first the changes that
			// can be such, then all of the line.
			if refused[at+" soft"] {
				refused[at+" all"] = true
			}
			refused[at+" soft"] = true
		}
	}
	return nil, fmt.Errorf("the mutants do not compile: %s", strings.Join(last, " "))
}

var complaint = regexp.MustCompile(`(?m)([a-z0-9_]+\.go):(\d+):\d+: `)

// compile returns "file:line" of what does not compile.
func compile(ctx context.Context, dir, work, binary, name string, overlay map[string]string) ([]string, error) {
	helper := filepath.Join(work, "zz_mutant.go")
	if err := os.WriteFile(helper, []byte(fmt.Sprintf(support, name)), 0o600); err != nil {
		return nil, err
	}
	place, err := filepath.Abs(filepath.Join(dir, "zz_mutant.go"))
	if err != nil {
		return nil, err
	}
	overlay[place] = helper
	text, err := json.Marshal(map[string]any{"Replace": overlay})
	if err != nil {
		return nil, err
	}
	list := filepath.Join(work, "overlay.json")
	if err := os.WriteFile(list, text, 0o600); err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, "go", "test", "-c", "-vet=off", "-gcflags=-e", "-overlay", list, "-o", binary, ".")
	cmd.Dir = dir
	out, err := cmd.CombinedOutput()
	if err == nil {
		return nil, nil
	}
	var at []string
	for _, m := range complaint.FindAllStringSubmatch(string(out), -1) {
		at = append(at, m[1]+":"+m[2])
	}
	if len(at) == 0 {
		return nil, fmt.Errorf("compile: %w\n%s", err, out)
	}
	return at, nil
}

// writer writes the files of a package with all mutants in them. It adds no line, so that positions stay.
type writer struct {
	dir, file, name string
	refused         map[string]bool
	names           map[string]int
	mutants         []*mutant

	fset     *token.FileSet
	src      []byte
	function string
	inList   map[ast.Stmt]bool // statements that may be left out
	barred   map[ast.Node]bool // constants and types
}

func (w *writer) mutate(file string) (string, error) {
	src, err := os.ReadFile(filepath.Join(w.dir, file))
	if err != nil {
		return "", err
	}
	w.file, w.src, w.fset = file, src, token.NewFileSet()
	tree, err := parser.ParseFile(w.fset, file, src, parser.SkipObjectResolution)
	if err != nil {
		return "", err
	}
	w.name, w.inList, w.barred = tree.Name.Name, map[ast.Stmt]bool{}, map[ast.Node]bool{}
	ast.Inspect(tree, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.BlockStmt:
			w.list(n.List)
		case *ast.CaseClause:
			w.list(n.Body)
		case *ast.CommClause:
			w.list(n.Body)
		case *ast.GenDecl:
			w.barred[n] = n.Tok != token.VAR
		case *ast.ArrayType, *ast.FieldList, *ast.ImportSpec:
			w.barred[n] = true
		}
		return true
	})
	var b strings.Builder
	at := token.Pos(1)
	for _, decl := range tree.Decls {
		w.function = "var"
		if f, ok := decl.(*ast.FuncDecl); ok {
			w.function = f.Name.Name
		}
		b.WriteString(w.between(at, decl.Pos()))
		b.WriteString(w.inside(decl))
		at = decl.End()
	}
	b.WriteString(string(src[at-1:]))
	return b.String(), nil
}

func (w *writer) list(statements []ast.Stmt) {
	for _, s := range statements {
		w.inList[s] = true
	}
}

func (w *writer) between(from, to token.Pos) string {
	base := w.fset.File(from).Base()
	return string(w.src[int(from)-base : int(to)-base])
}

func (w *writer) text(n ast.Node) string {
	return strings.Join(strings.Fields(w.between(n.Pos(), n.End())), " ")
}

// inside returns n's text with what lies inside it mutated.
func (w *writer) inside(n ast.Node) string {
	var b strings.Builder
	at := n.Pos()
	ast.Inspect(n, func(child ast.Node) bool {
		if child == nil || child == n {
			return true
		}
		if w.barred[child] {
			return false
		}
		if changed, ok := w.change(child); ok {
			b.WriteString(w.between(at, child.Pos()))
			b.WriteString(changed)
			at = child.End()
			return false
		}
		return true
	})
	b.WriteString(w.between(at, n.End()))
	return b.String()
}

// add notes a mutant and returns its number, 0 if the compiler has refused it.
func (w *writer) add(n ast.Node, to string, soft bool) int {
	line := w.fset.Position(n.Pos()).Line
	for l := line; l <= w.fset.Position(n.End()).Line; l++ {
		at := w.file + ":" + strconv.Itoa(l)
		if w.refused[at+" all"] || soft && w.refused[at+" soft"] {
			return 0
		}
	}
	m := &mutant{id: len(w.mutants) + 1, file: w.file, line: line, function: w.function, from: w.text(n), to: to}
	w.names[m.String()]++
	if nth := w.names[m.String()]; nth > 1 {
		m.nth = nth
	}
	w.mutants = append(w.mutants, m)
	return m.id
}

var (
	opposites = map[token.Token][]token.Token{
		token.EQL: {token.NEQ}, token.NEQ: {token.EQL},
		token.LSS: {token.LEQ, token.GEQ}, token.LEQ: {token.LSS, token.GTR},
		token.GTR: {token.GEQ, token.LEQ}, token.GEQ: {token.GTR, token.LSS},
	}
	swaps = map[token.Token]token.Token{
		token.ADD: token.SUB, token.SUB: token.ADD, token.MUL: token.QUO, token.QUO: token.MUL, token.REM: token.MUL,
		token.AND: token.OR, token.OR: token.AND, token.XOR: token.AND, token.AND_NOT: token.AND, token.SHL: token.SHR, token.SHR: token.SHL,
	}
)

// change returns n with its own mutants and those inside it, if it has any of its own.
func (w *writer) change(n ast.Node) (string, bool) {
	switch n := n.(type) {
	case *ast.BinaryExpr:
		return w.binary(n)
	case *ast.UnaryExpr:
		if n.Op == token.NOT {
			if id := w.add(n, w.text(n.X), false); id > 0 {
				return fmt.Sprintf("(mutantAlive == %d) == %s", id, w.operand(n.X)), true
			}
		}
	case *ast.Ident:
		if n.Name == "true" || n.Name == "false" {
			other := map[string]string{"true": "false", "false": "true"}[n.Name]
			if id := w.add(n, other, true); id > 0 {
				return fmt.Sprintf("mutantPick(%d, %s, %s)", id, n.Name, other), true
			}
		}
	case *ast.IfStmt:
		return w.condition(n)
	case ast.Stmt:
		return w.leaveOut(n)
	}
	return "", false
}

// operand is an expression in brackets, with what lies inside mutated.
func (w *writer) operand(x ast.Expr) string {
	if changed, ok := w.change(x); ok {
		return "(" + changed + ")"
	}
	return "(" + w.inside(x) + ")"
}

func (w *writer) binary(n *ast.BinaryExpr) (string, bool) {
	lines := strings.Repeat("\n", strings.Count(w.between(n.X.End(), n.Y.Pos()), "\n"))
	switch n.Op {
	case token.LAND, token.LOR:
		name, other := "mutantAnd", "||"
		if n.Op == token.LOR {
			name, other = "mutantOr", "&&"
		}
		if id := w.add(n, w.text(n.X)+" "+other+" "+w.text(n.Y), false); id > 0 {
			return fmt.Sprintf("%s(%d, func() bool { return %s }, %sfunc() bool { return %s })", name, id, w.operand(n.X), lines, w.operand(n.Y)), true
		}
		return "", false
	}
	if others, ok := opposites[n.Op]; ok {
		var cases strings.Builder
		for _, other := range others {
			if id := w.add(n, w.text(n.X)+" "+other.String()+" "+w.text(n.Y), false); id > 0 {
				fmt.Fprintf(&cases, "if mutantAlive == %d { return %s %s %s }; ", id, w.text(n.X), other, w.text(n.Y))
			}
		}
		if cases.Len() == 0 {
			return "", false
		}
		return fmt.Sprintf("func() bool { %sreturn %s %s %s%s }()", cases.String(), w.operand(n.X), n.Op, lines, w.operand(n.Y)), true
	}
	if other, ok := swaps[n.Op]; ok {
		if id := w.add(n, w.text(n.X)+" "+other.String()+" "+w.text(n.Y), true); id > 0 {
			plain := "(" + w.text(n.X) + ")" + other.String() + "(" + w.text(n.Y) + ")"
			return fmt.Sprintf("mutantPick(%d, %s%s%s%s, %s)", id, w.operand(n.X), n.Op, lines, w.operand(n.Y), plain), true
		}
	}
	return "", false
}

// condition negates a condition that is no comparison.
func (w *writer) condition(n *ast.IfStmt) (string, bool) {
	switch n.Cond.(type) {
	case *ast.Ident, *ast.CallExpr, *ast.SelectorExpr, *ast.IndexExpr:
	default:
		return "", false
	}
	id := w.add(n.Cond, "!"+w.text(n.Cond), false)
	if id == 0 {
		return "", false
	}
	var b strings.Builder
	b.WriteString(w.between(n.Pos(), n.If+2) + " ")
	if n.Init != nil {
		b.WriteString(w.inside(n.Init) + "; ")
	}
	fmt.Fprintf(&b, "(mutantAlive == %d) != (%s)", id, w.inside(n.Cond))
	b.WriteString(w.between(n.Cond.End(), n.Body.Pos()) + w.inside(n.Body))
	if n.Else != nil {
		b.WriteString(w.between(n.Body.End(), n.Else.Pos()))
		if changed, ok := w.change(n.Else); ok {
			b.WriteString(changed)
		} else {
			b.WriteString(w.inside(n.Else))
		}
	}
	return b.String(), true
}

// leaveOut makes a statement one that can be missing.
func (w *writer) leaveOut(n ast.Stmt) (string, bool) {
	if !w.inList[n] {
		return "", false
	}
	switch s := n.(type) {
	case *ast.AssignStmt:
		if s.Tok == token.DEFINE {
			return "", false
		}
	case *ast.IncDecStmt, *ast.ExprStmt:
	case *ast.BranchStmt:
		if s.Tok != token.CONTINUE && s.Tok != token.BREAK {
			return "", false
		}
	default:
		return "", false
	}
	id := w.add(n, "nothing", true)
	if id == 0 {
		return "", false
	}
	return fmt.Sprintf("if mutantAlive != %d { %s }", id, w.inside(n)), true
}
