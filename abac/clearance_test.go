package abac_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/pioneerdesk/tomkit/abac"
)

// upTo clears numbers that are not above it.
type upTo int

func (c upTo) Clears(label any) bool {
	n, ok := label.(int)
	return ok && n <= int(c)
}

func TestCleared(t *testing.T) {
	u, err := abac.NewUniverse("reports:read")
	require.NoError(t, err)
	q, err := u.Require("reports:read", abac.Cleared())
	require.NoError(t, err)
	all, err := u.Compile(abac.Source{Policies: []string{"*:*"}})
	require.NoError(t, err)
	none, err := u.Compile()
	require.NoError(t, err)
	for name, tc := range map[string]struct {
		set       *abac.Set
		clearance abac.Clearance
		label     any
		want      abac.Reason
	}{
		"a clearance that dominates":                {all, upTo(2), 2, abac.Allowed},
		"a clearance that does not":                 {all, upTo(2), 3, abac.LabelTooLow},
		"no clearance":                              {all, nil, 0, abac.LabelTooLow},
		"a resource without a label":                {all, upTo(2), nil, abac.LabelTooLow},
		"a label of another kind":                   {all, upTo(2), "2", abac.LabelTooLow},
		"a clearance without the permission":        {none, upTo(2), 2, abac.NoMatch},
		"neither: the permission is answered first": {none, nil, 3, abac.NoMatch},
	} {
		t.Run(name, func(t *testing.T) {
			d := q.Decide(&abac.Subject{Set: tc.set, Clearance: tc.clearance}, abac.Request{Label: tc.label})
			require.Equal(t, abac.Decision{Allowed: tc.want == abac.Allowed, Reason: tc.want}, d)
		})
	}
	require.Equal(t, "label_too_low", abac.LabelTooLow.String())
}
