package erasure_test

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/pioneerdesk/tomkit/rls/erasure"
)

func TestCheck(t *testing.T) {
	k := newKit(t)
	check := func(r *erasure.Register) error { return erasure.Check(t.Context(), k.db.Anonymous(), r) }
	require.NoError(t, check(register()))
	k.exec(t, `ALTER TABLE desk.comments ADD written_at timestamptz`)
	table := func(r *erasure.Register, name string) *erasure.Table {
		for i := range r.Categories {
			for j := range r.Categories[i].Tables {
				if r.Categories[i].Tables[j].Name == name {
					return &r.Categories[i].Tables[j]
				}
			}
		}
		panic(name)
	}
	drop := func(r *erasure.Register, id string) {
		r.Categories = slices.DeleteFunc(r.Categories, func(c erasure.Category) bool { return c.ID == id })
	}
	for name, c := range map[string]struct {
		change func(*erasure.Register)
		say    string
	}{
		"a table that nobody thought of":           {func(r *erasure.Register) { drop(r, "events") }, `"desk.events": has a tenant column and is neither`},
		"a table that does not exist":              {func(r *erasure.Register) { table(r, "desk.events").Name = "desk.nothing" }, `"desk.nothing": does not exist`},
		"a name that wants to be SQL":              {func(r *erasure.Register) { table(r, "desk.events").Name = `desk.events; DROP TABLE desk.users` }, `does not exist`},
		"a quoted name":                            {func(r *erasure.Register) { table(r, "desk.events").Name = `"desk"."events"` }, `does not exist`},
		"a table without tenants":                  {func(r *erasure.Register) { table(r, "desk.events").Name = "tomkit.context_keys" }, `has no tenant column`},
		"a column that does not exist":             {func(r *erasure.Register) { table(r, "desk.events").Time = `at" <= now() OR "at` }, `does not exist`},
		"a time that is none":                      {func(r *erasure.Register) { table(r, "desk.events").Time = "what" }, `is of type text`},
		"a condition on nothing":                   {func(r *erasure.Register) { table(r, "desk.tickets").Where[0].Column = "1=1--" }, `does not exist`},
		"a secret that does not exist":             {func(r *erasure.Register) { table(r, "desk.users").Secret = []string{"x"} }, `does not exist`},
		"a person column that does not exist":      {func(r *erasure.Register) { table(r, "desk.users").People[0].Column = "x" }, `does not exist`},
		"a person who is a time":                   {func(r *erasure.Register) { table(r, "desk.sessions").People[0].Column = "ended_at" }, `not uuid or text`},
		"a foreign key to people that is not said": {func(r *erasure.Register) { table(r, "desk.sessions").People = nil }, `references the people's table`},
		"a cascade that does not exist": {func(r *erasure.Register) {
			table(r, "desk.comments").People[0] = erasure.Person{Column: "author_id", Erase: erasure.Cascade}
		}, `no foreign key deletes`},
		"a pseudonym in a foreign key": {func(r *erasure.Register) {
			table(r, "desk.tickets").People[0].Replace = map[string]erasure.Replacement{"reporter_id": erasure.Pseudonym()}
		}, `cannot hold a pseudonym`},
		"NULL where it cannot be": {func(r *erasure.Register) {
			table(r, "desk.visits").Anonymise = map[string]erasure.Replacement{"address": erasure.Null()}
		}, `is NOT NULL`},
		"a text for a time":                 {func(r *erasure.Register) { table(r, "desk.visits").Anonymise["at"] = erasure.Fixed("x") }, `is of type timestamp`},
		"replacing the tenant":              {func(r *erasure.Register) { table(r, "desk.visits").Anonymise["tenant_id"] = erasure.Pseudonym() }, `is the tenant`},
		"people that are nowhere":           {func(r *erasure.Register) { r.People = "desk.nobody" }, `"desk.nobody": does not exist`},
		"an exemption of nothing":           {func(r *erasure.Register) { r.Exempt[0].Table = "tomkit.audit_log" }, `"tomkit.audit_log": does not exist`},
		"rows that go before their time is": {func(r *erasure.Register) { addLonger(r) }, `is kept longer`},
	} {
		t.Run(name, func(t *testing.T) {
			r := register()
			c.change(r)
			err := check(r)
			require.ErrorIs(t, err, erasure.ErrCatalog)
			require.ErrorContains(t, err, c.say)
			_, err = k.eraser(t, func(cfg *erasure.Config) { cfg.Register = r }).Apply(t.Context())
			require.ErrorIs(t, err, erasure.ErrCatalog)
		})
	}
	t.Run("a login that may not", func(t *testing.T) {
		k.exec(t, `REVOKE DELETE ON desk.users FROM tomkit_app; REVOKE UPDATE ON desk.comments FROM tomkit_app; REVOKE DELETE ON desk.events FROM tomkit_system`)
		err := check(register())
		require.ErrorContains(t, err, `"desk.users": tomkit_app may not delete`)
		require.ErrorContains(t, err, `"desk.comments" column "body": tomkit_app may not update`)
		require.ErrorContains(t, err, `"desk.events": tomkit_system cannot`)
	})
}

// addLonger keeps comments longer than the tickets they are deleted with.
func addLonger(r *erasure.Register) {
	for i := range r.Categories {
		if c := &r.Categories[i]; c.ID == "tickets" {
			comments := c.Tables[1]
			c.Tables = c.Tables[:1]
			comments.Time = "written_at"
			r.Categories = append(r.Categories, category("comments", "P2Y", comments))
			return
		}
	}
}

func TestRegistersThatCannotBeUsed(t *testing.T) {
	for name, change := range map[string]func(*erasure.Register){
		"an id that is none":             func(r *erasure.Register) { r.Categories[0].ID = "People!" },
		"two categories of one id":       func(r *erasure.Register) { r.Categories[0].ID = r.Categories[1].ID },
		"a table in two categories":      func(r *erasure.Register) { r.Categories[0].Tables = r.Categories[1].Tables },
		"a table that is exempt too":     func(r *erasure.Register) { r.Exempt[0].Table = "desk.users" },
		"our own table":                  func(r *erasure.Register) { r.Exempt[0].Table = "tomkit.legal_holds" },
		"no purpose":                     func(r *erasure.Register) { r.Categories[0].Purpose = erasure.Text{} },
		"a purpose in one language":      func(r *erasure.Register) { r.Categories[0].Purpose.EN = "" },
		"no reason for an exemption":     func(r *erasure.Register) { r.Exempt[0].Why = erasure.Text{} },
		"no period and no word about it": func(r *erasure.Register) { r.Categories[0].Retention.Note = erasure.Text{} },
		"a negative period":              func(r *erasure.Register) { r.Categories[1].Retention.Period.Days = -1 },
		"a period under its own minimum": func(r *erasure.Register) { r.Categories[1].Retention.Min = period2("P1Y") },
		"bounds without a period":        func(r *erasure.Register) { r.Categories[0].Retention.Max = period2("P1Y") },
		"an action that is none":         func(r *erasure.Register) { r.Categories[0].Tables[0].People[0].Erase = "" },
		"keeping without a reason":       func(r *erasure.Register) { r.Categories[0].Tables[0].People[0].Erase = erasure.Keep },
		"deleting with replacements": func(r *erasure.Register) {
			r.Categories[0].Tables[0].People[0].Replace = map[string]erasure.Replacement{}
		},
		"a condition without a time": func(r *erasure.Register) {
			r.Categories[0].Tables[0].Where = []erasure.Condition{{Column: "x", Test: erasure.IsNull}}
		},
		"a test that is none":   func(r *erasure.Register) { r.Categories[2].Tables[0].Where[0].Test = "= 'x' OR 1=1" },
		"a test without values": func(r *erasure.Register) { r.Categories[2].Tables[0].Where[0].Values = nil },
		"anonymising by pseudonyms alone": func(r *erasure.Register) {
			r.Categories[5].Tables[0].Anonymise = map[string]erasure.Replacement{"visitor": erasure.Pseudonym()}
		},
	} {
		t.Run(name, func(t *testing.T) {
			r := register()
			change(r)
			require.ErrorIs(t, r.Validate(), erasure.ErrInvalid)
		})
	}
	r := register()
	require.NoError(t, r.Validate())
}

func TestConfigurationsThatCannotBeUsed(t *testing.T) {
	_, err := erasure.New(erasure.Config{})
	require.ErrorIs(t, err, erasure.ErrInvalid)
	_, err = erasure.NewRunner(erasure.RunnerConfig{})
	require.ErrorIs(t, err, erasure.ErrInvalid)
	k := newKit(t)
	for _, change := range []func(*erasure.Config){
		func(c *erasure.Config) { c.BatchRows = -1 }, func(c *erasure.Config) { c.Batches = -1 }, func(c *erasure.Config) { c.Pause = -1 },
		func(c *erasure.Config) { c.Attempts = -1 }, func(c *erasure.Config) { c.Backoff = -1 }, func(c *erasure.Config) { c.Record = nil },
		func(c *erasure.Config) { c.Stores = []erasure.Store{{Name: "a b", Purger: &cache{}}} },
		func(c *erasure.Config) { c.Stores = []erasure.Store{{Name: "a"}} },
		func(c *erasure.Config) {
			c.Stores = []erasure.Store{{Name: "a", Purger: &cache{}}, {Name: "a", Purger: &cache{}}}
		},
	} {
		cfg := erasure.Config{DB: k.db, Record: k.recorder, Register: register()}
		change(&cfg)
		_, err := erasure.New(cfg)
		require.ErrorIs(t, err, erasure.ErrInvalid)
	}
}
