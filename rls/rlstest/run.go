package rlstest

import (
	"testing"
)

// Run runs [Check] and shows each cell as a subtest named part/table/what in which context. It returns the report.
func Run(t *testing.T, cfg Config) Report {
	t.Helper()
	report, err := Check(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Log(report.String())
	for _, part := range []Part{Matrix, Fuzzer, Corpus} {
		t.Run(string(part), func(t *testing.T) { runTables(t, report.of(part)) })
	}
	return report
}

// of returns the cells of a suite.
func (r *Report) of(p Part) (cells []Cell) {
	for _, c := range r.Cells {
		if c.Part == p {
			cells = append(cells, c)
		}
	}
	return cells
}

// runTables shows one subtest per table with its cells, which need not be neighbours, in it.
func runTables(t *testing.T, cells []Cell) {
	var order []string
	byTable := map[string][]Cell{}
	for _, c := range cells {
		if byTable[c.Table] == nil {
			order = append(order, c.Table)
		}
		byTable[c.Table] = append(byTable[c.Table], c)
	}
	for _, table := range order {
		t.Run(table, func(t *testing.T) {
			for _, c := range byTable[table] {
				t.Run(c.Name, func(t *testing.T) {
					if c.Fault != "" {
						t.Error(c.Fault)
					}
				})
			}
		})
	}
}
