package rlstest

import (
	"time"

	"github.com/google/uuid"

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
