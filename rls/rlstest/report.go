package rlstest

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// Cell is one check of the matrix, one kind of statement of the fuzzer, or one payload of the corpus.
type Cell struct {
	// Part is the suite.
	Part Part
	// Table is what is tested: a table, view or function of the matrix, a category of the corpus, a kind of statement.
	Table string
	// Name says what is done in which context: "DELETE own".
	Name string
	// Checks is the number of single checks behind the cell.
	Checks int
	// Fault says what went wrong; empty means that isolation held.
	Fault string
}

// String names the cell: table, then what is done.
func (c Cell) String() string { return c.Table + " " + c.Name }

// Report is what a run has shown.
type Report struct {
	// Seed is the seed of rows and statements.
	Seed uint64
	// Tables is the number of tables and partitions with a tenant column that were tested.
	Tables int
	// Cells are all checks in the order of their execution.
	Cells []Cell
	// Skipped names what was left out, with the reason.
	Skipped map[string]string
	// Notes are facts that are no faults: tables without tenant column, state left on connections.
	Notes []string
	// Statements, Valid, Found and Agreed count the fuzzer's statements, those that ran without an error, those that found or
	// changed rows, and those with equal outcome on both sides. Kinds counts them by kind.
	Statements, Valid, Found, Agreed int
	Kinds                            map[string]int
	// Payloads, Attempts and NotApplicable count the corpus: payloads that ran, statements they made in their holes, and
	// payloads that need something this schema does not have.
	Payloads, Attempts, NotApplicable int
	// Took is the time per suite; that of the empty part is the preparation.
	Took map[Part]time.Duration
}

// Faults returns the cells in which isolation did not hold.
func (r *Report) Faults() []Cell {
	return slices.DeleteFunc(slices.Clone(r.Cells), func(c Cell) bool { return c.Fault == "" })
}

// Checks counts the checks of one suite.
func (r *Report) Checks(p Part) (n int) {
	for _, c := range r.Cells {
		if c.Part == p {
			n += c.Checks
		}
	}
	return n
}

// String is a summary over several lines, without faults.
func (r *Report) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "prepared in %s\n", r.Took[""].Round(time.Millisecond))
	fmt.Fprintf(&b, "matrix: %d checks on %d tables in %s", r.Checks(Matrix), r.Tables, r.Took[Matrix].Round(time.Millisecond))
	if r.Statements > 0 {
		fmt.Fprintf(&b, "\nfuzzer: %d statements (seed %d) in %s, %.0f/s, %.1f %% valid, %.1f %% with rows, %d agreed;", r.Statements, r.Seed,
			r.Took[Fuzzer].Round(time.Millisecond), rate(r.Statements, r.Took[Fuzzer]), percent(r.Valid, r.Statements),
			percent(r.Found, r.Statements), r.Agreed)
		for _, kind := range slices.Sorted(maps.Keys(r.Kinds)) {
			fmt.Fprintf(&b, " %s %d", kind, r.Kinds[kind])
		}
	}
	if r.Attempts > 0 {
		fmt.Fprintf(&b, "\ncorpus: %d payloads, %d attempts in %s, %.0f/s, %d not applicable", r.Payloads, r.Attempts,
			r.Took[Corpus].Round(time.Millisecond), rate(r.Attempts, r.Took[Corpus]), r.NotApplicable)
	}
	for _, name := range slices.Sorted(maps.Keys(r.Skipped)) {
		fmt.Fprintf(&b, "\nskipped: %s: %s", name, r.Skipped[name])
	}
	for _, note := range r.Notes {
		b.WriteString("\nnote: " + note)
	}
	return b.String()
}

func rate(n int, d time.Duration) float64 { return float64(n) / max(d.Seconds(), 1e-9) }

func percent(n, of int) float64 { return 100 * float64(n) / float64(of) }

// add files the outcome of one cell.
func (r *Report) add(part Part, table, name, fault string) {
	r.Cells = append(r.Cells, Cell{Part: part, Table: table, Name: name, Checks: 1, Fault: fault})
}

func (r *Report) note(format string, args ...any) {
	r.Notes = append(r.Notes, fmt.Sprintf(format, args...))
}
