package rlstest

import (
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgtype"

	"github.com/pioneerdesk/tomkit/rls"
)

// Matching returns texts for a regular expression.
func Matching(seed uint64, pattern string) []string { return newRandom(seed, 0).matching(pattern) }

// Hints returns the texts, patterns and numbers of a condition.
func Hints(expr string) (texts, patterns []string, numbers []int64) {
	var h hints
	h.read(expr)
	return h.texts, h.patterns, h.numbers
}

// Sign makes a tenant's context.
func Sign(key rls.ContextKey, id uuid.UUID, expiry time.Time) string {
	return sign(key, 't', id, expiry)
}

// Outcome is what came of a statement on one side.
type Outcome struct {
	State   string
	Rows    int64
	Strayed bool // rows of another tenant are there afterwards
}

// Disagree tells whether the fuzzer finds fault with a statement; crosses says that it might write into another tenant.
func Disagree(crosses bool, real, shadow Outcome) bool {
	f := &fuzzer{suite: &suite{}}
	return f.difference(dml{kind: "merge", crosses: crosses}, real.side(false), shadow.side(true)) != ""
}

func (o Outcome) side(shadow bool) side {
	s := side{state: o.State, affected: o.Rows}
	if o.State != "" {
		return s
	}
	s.checks = []string{"own rows", ""}
	if shadow && !o.Strayed {
		s.checks[1] = noContents
	}
	return s
}

// TrimScale writes numbers of type numeric as the fuzzer compares them.
func TrimScale(numbers ...string) []string {
	fields, row := make([]pgconn.FieldDescription, len(numbers)), make([][]byte, len(numbers))
	for i, n := range numbers {
		fields[i].DataTypeOID, row[i] = pgtype.NumericOID, []byte(n)
	}
	trimScale(fields, row)
	for i := range row {
		numbers[i] = string(row[i])
	}
	return numbers
}
