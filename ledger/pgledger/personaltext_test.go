package pgledger_test

import (
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/pioneerdesk/tomkit/ledger"
	"github.com/pioneerdesk/tomkit/ledger/record"
)

func TestPersonalTextIsRefusedWhereItCannotBeErased(t *testing.T) {
	k := newKit(t)
	tenant, who := uuid.New(), uuid.New()
	event := func(name string) record.Event { return of(tenant, who, name) }
	for name, c := range map[string]struct {
		value  string
		change func(*record.Event)
		fine   bool
	}{
		"a name as identifier":                 {"Erika Mustermann", func(ev *record.Event) { ev.EntityID = "user:ERIKA MUSTERMANN" }, false},
		"a mail address as identifier":         {"Erika Mustermann", func(ev *record.Event) { ev.EntityID = "someone.else@klinikum.de" }, false},
		"a name in a detail":                   {"Erika Mustermann", func(ev *record.Event) { ev.Details["note"] = "angelegt für erika mustermann" }, false},
		"a name deep in the details":           {"Erika Mustermann", func(ev *record.Event) { ev.Details["list"] = []any{map[string]any{"x": "Erika Mustermann"}} }, false},
		"a name as a detail's name":            {"erika", func(ev *record.Event) { ev.Details["erika"] = true }, false},
		"a name in the narrative":              {"Erika Mustermann", func(ev *record.Event) { ev.Narrative.Args["method"] = "Passwort von Erika Mustermann" }, false},
		"a short name as a word":               {"Max", func(ev *record.Event) { ev.Details["note"] = "für max." }, false},
		"an umlaut in the other case":          {"Übermut Äffle", func(ev *record.Event) { ev.Details["note"] = "ÜBERMUT ÄFFLE" }, false},
		"a short name within a word":           {"Max", func(ev *record.Event) { ev.Details["note"] = "Maximum" }, true},
		"two letters":                          {"Bo", func(ev *record.Event) { ev.Details["note"] = "bo" }, true},
		"a device with an at sign":             {"Erika Mustermann", func(ev *record.Event) { ev.EntityID = "service@host" }, true},
		"an address of a service, with a path": {"Erika Mustermann", func(ev *record.Event) { ev.EntityID = "ssh://git@example.org/x" }, true},
	} {
		t.Run(name, func(t *testing.T) {
			ev := event(c.value)
			c.change(&ev)
			_, err := k.log.Append(t.Context(), ev)
			if c.fine {
				require.NoError(t, err)
				return
			}
			require.ErrorIs(t, err, ledger.ErrPersonalText)
			require.ErrorIs(t, err, ledger.ErrInvalid)
			require.NotContains(t, strings.ToLower(err.Error()), strings.ToLower(c.value), "the error does not repeat it")
		})
	}
}
