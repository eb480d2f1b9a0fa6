package arch_test

import (
	"go/ast"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// control is one line of CONTROLS.md: | ID | TOM | Measure | Room | Check | State |
type control struct {
	ID, TOM, Measure, Room, Check, State string
}

var (
	controlID = regexp.MustCompile(`^T[0-9A-Z.]+-[0-9]{2}$`)
	states    = []string{"enforced", "checked", "planned", "organisational", "deviates", "fact"}
)

func controls(t *testing.T) []control {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root(t), "CONTROLS.md"))
	require.NoError(t, err)
	var all []control
	for line := range strings.Lines(string(text)) {
		cells := strings.Split(strings.Trim(strings.TrimSpace(line), "|"), "|")
		for i := range cells {
			cells[i] = strings.TrimSpace(cells[i])
		}
		if len(cells) != 6 || !controlID.MatchString(cells[0]) {
			require.Falsef(t, strings.HasPrefix(line, "| T") && !strings.HasPrefix(line, "| TOM"), "not a control line: %s", line)
			continue
		}
		all = append(all, control{cells[0], cells[1], cells[2], cells[3], cells[4], cells[5]})
	}
	return all
}

func TestControlsNameRoomsAndTestsThatExist(t *testing.T) {
	have := testNames(t)
	seen := map[string]bool{}
	all := controls(t)
	require.Greater(t, len(all), 100, "CONTROLS.md lost lines")
	for _, c := range all {
		require.Falsef(t, seen[c.ID], "%s appears twice", c.ID)
		seen[c.ID] = true
		state, why, _ := strings.Cut(c.State, ":")
		require.Containsf(t, states, state, "%s: state %q", c.ID, c.State)
		if state == "deviates" {
			require.NotEmptyf(t, strings.TrimSpace(why), "%s deviates without saying why", c.ID)
		}
		for room := range strings.FieldsFuncSeq(c.Room, func(r rune) bool { return r == ',' || r == ' ' }) {
			if room == "-" || state == "planned" {
				continue
			}
			_, err := os.Stat(filepath.Join(root(t), filepath.FromSlash(strings.Trim(room, "`"))))
			require.NoErrorf(t, err, "%s names the room %s", c.ID, room)
		}
		if state == "enforced" || state == "checked" || (state == "deviates" && c.Check != "-") {
			require.NotEqualf(t, "-", c.Check, "%s is %s by nothing", c.ID, state)
		}
		for check := range strings.FieldsFuncSeq(c.Check, func(r rune) bool { return r == ',' || r == ' ' }) {
			if check == "-" {
				continue
			}
			require.Containsf(t, have, strings.Trim(check, "`"), "%s names the check %s", c.ID, check)
		}
	}
}

// testNames lists every test, fuzz target and example as "room.TestName", the nested integration module included.
func testNames(t *testing.T) []string {
	t.Helper()
	var names []string
	collect := func(room string, files []*ast.File) {
		for _, f := range files {
			for _, decl := range f.Decls {
				fn, ok := decl.(*ast.FuncDecl)
				if ok && fn.Recv == nil && slices.ContainsFunc([]string{"Test", "Fuzz", "Example"}, func(p string) bool { return strings.HasPrefix(fn.Name.Name, p) }) {
					names = append(names, room+"."+fn.Name.Name)
				}
			}
		}
	}
	for _, p := range rooms(t) {
		_, files := parse(t, p, slices.Concat(p.TestGoFiles, p.XTestGoFiles))
		collect(p.room(), files)
	}
	for _, nested := range []string{"internal/integration", "internal/integration/oracle"} {
		matches, err := filepath.Glob(filepath.Join(root(t), nested, "*_test.go"))
		require.NoError(t, err)
		for _, m := range matches {
			_, files := parse(t, pkg{Dir: filepath.Dir(m)}, []string{filepath.Base(m)})
			collect(nested, files)
		}
	}
	return names
}
