package abac_test

import (
	"crypto/ed25519"
	"encoding/base64"
	"encoding/json"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/pioneerdesk/tomkit/abac"
)

// policySet is a set with a bit of everything.
func policySet(version int64) *abac.PolicySet {
	return &abac.PolicySet{
		Version: version, MinVersion: 2,
		Permissions: []string{"commands:execute", "devices:read", "devices:write"},
		Roles: []abac.Role{
			{Name: "operator", Policies: []string{"*:*"}, Reserved: true},
			{Name: "technician", Policies: []string{"commands:*", "devices:*", "!devices:write"}},
		},
		Constraints: []abac.Constraint{
			{Policy: "commands:*", When: []abac.Condition{abac.MFA(abac.MultiFactor, 5*time.Minute)}},
			{Policy: "*:*", Roles: []string{"operator"}, When: []abac.Condition{abac.From(prefixes("10.0.0.0/8")...)}},
		},
	}
}

const policySetText = `{"constraints":[{"policy":"commands:*","when":[{"mfa":{"level":"multi_factor","max_age_seconds":300}}]},` +
	`{"policy":"*:*","roles":["operator"],"when":[{"network":["10.0.0.0/8"]}]}],"format":"tomkit-policy-set/1","min_version":2,` +
	`"permissions":["commands:execute","devices:read","devices:write"],"roles":[{"name":"operator","policies":["*:*"],"reserved":true},` +
	`{"name":"technician","policies":["commands:*","devices:*","!devices:write"]}],"version":3}`

func TestAPolicySetHasOneForm(t *testing.T) {
	text, err := policySet(3).Canonical()
	require.NoError(t, err)
	require.Equal(t, policySetText, string(text))
	parsed, err := abac.ParsePolicySet(text)
	require.NoError(t, err)
	require.Equal(t, policySet(3), parsed)

	var indented any
	require.NoError(t, json.Unmarshal(text, &indented))
	pretty, err := json.MarshalIndent(indented, "", "\t")
	require.NoError(t, err)
	parsed, err = abac.ParsePolicySet(pretty)
	require.NoError(t, err)
	require.Equal(t, policySet(3), parsed)
}

func TestTheDocumentsRolesAsAPolicySet(t *testing.T) {
	text, err := abac.TOM6PolicySet().Canonical()
	require.NoError(t, err)
	p, err := abac.ParsePolicySet(text)
	require.NoError(t, err)
	require.Equal(t, abac.TOM6Roles(), p.Roles)
	u, _ := tom6(t)
	_, err = p.Compile(u)
	require.NoError(t, err)
}

// TestAPolicySetInAnotherFormIsRefused changes one thing of a good text each time.
func TestAPolicySetInAnotherFormIsRefused(t *testing.T) {
	for name, change := range map[string][2]string{
		"another format":                 {`policy-set/1`, `policy-set/2`},
		"no format":                      {`"format":"tomkit-policy-set/1",`, ``},
		"an unknown member":              {`"version":3`, `"version":3,"extra":1`},
		"a member twice":                 {`"version":3`, `"version":3,"version":4`},
		"a member in another spelling":   {`"roles":[{`, `"Roles":[{`},
		"both spellings of a member":     {`"version":3`, `"version":3,"Version":4`},
		"a member that is null":          {`"roles":["operator"]`, `"roles":null`},
		"an empty list for nobody":       {`"roles":["operator"]`, `"roles":[]`},
		"a stated default":               {`"name":"technician"`, `"name":"technician","reserved":false`},
		"a version in a text":            {`"version":3`, `"version":"3"`},
		"a version with a fraction":      {`"version":3`, `"version":3.0`},
		"an unknown condition":           {`{"network":["10.0.0.0/8"]}`, `{"moon":"full"}`},
		"a condition of another value":   {`{"network":["10.0.0.0/8"]}`, `{"tenant":"any"}`},
		"something after the document":   {`"version":3}`, `"version":3}{}`},
		"a letter outside ASCII":         {`"name":"technician"`, `"name":"techniciаn"`},
		"a document that ends too early": {`"version":3}`, `"version":3`},
	} {
		t.Run(name, func(t *testing.T) {
			text := strings.Replace(policySetText, change[0], change[1], 1)
			require.NotEqual(t, policySetText, text)
			_, err := abac.ParsePolicySet([]byte(text))
			require.ErrorIs(t, err, abac.ErrFormat)
		})
	}
	for name, change := range map[string][2]string{
		"version zero":                       {`"version":3`, `"version":0`},
		"a negative version":                 {`"version":3`, `"version":-1`},
		"a minimum above the version":        {`"min_version":2`, `"min_version":4`},
		"a negative minimum":                 {`"min_version":2`, `"min_version":-1`},
		"no permissions":                     {`["commands:execute","devices:read","devices:write"]`, `[]`},
		"a permission twice":                 {`"devices:write"],"roles"`, `"devices:read"],"roles"`},
		"a permission with a wildcard":       {`"devices:write"],"roles"`, `"devices:*"],"roles"`},
		"a malformed policy":                 {`"!devices:write"`, `"! devices:write"`},
		"a policy about nothing":             {`"!devices:write"`, `"!devices:wirte"`},
		"a role twice":                       {`"name":"technician"`, `"name":"operator"`},
		"a role without policies":            {`"policies":["*:*"]`, `"policies":[]`},
		"a constraint about nothing":         {`"policy":"commands:*"`, `"policy":"command:*"`},
		"a constraint that is a deny":        {`"policy":"commands:*"`, `"policy":"!commands:*"`},
		"a constraint of an unknown role":    {`"roles":["operator"]`, `"roles":["operatar"]`},
		"a constraint of a role twice":       {`"roles":["operator"]`, `"roles":["operator","operator"]`},
		"a constraint without any condition": {`"when":[{"network":["10.0.0.0/8"]}]`, `"when":[]`},
	} {
		t.Run(name, func(t *testing.T) {
			text := strings.Replace(policySetText, change[0], change[1], 1)
			require.NotEqual(t, policySetText, text)
			_, err := abac.ParsePolicySet([]byte(text))
			require.ErrorIs(t, err, abac.ErrPolicySet)
		})
	}
	t.Run("no roles", func(t *testing.T) {
		_, err := abac.ParsePolicySet([]byte(`{"format":"tomkit-policy-set/1","permissions":["a:b"],"roles":[],"version":1}`))
		require.ErrorIs(t, err, abac.ErrPolicySet)
	})
	t.Run("more than the limit", func(t *testing.T) {
		_, err := abac.ParsePolicySet([]byte(policySetText + strings.Repeat(" ", abac.MaxDocument)))
		require.ErrorIs(t, err, abac.ErrFormat)
	})
}

func TestCompileForAProgram(t *testing.T) {
	compiled, err := policySet(3).Compile(universe(t, "devices:read", "commands:execute"))
	require.NoError(t, err, "the set may list more than the program asks for")
	require.EqualValues(t, 3, compiled.Roles.Version())
	_, err = policySet(3).Compile(universe(t, "devices:read", "devices:wipe"))
	require.ErrorIs(t, err, abac.ErrPolicySet, "devices:* would give away a permission the author did not know")
	_, err = policySet(3).Compile(nil)
	require.Error(t, err)
	_, err = policySet(0).Compile(universe(t, "devices:read"))
	require.ErrorIs(t, err, abac.ErrPolicySet)

	same, err := policySet(3).Compile(universe(t, "devices:read"))
	require.NoError(t, err)
	require.Equal(t, compiled.Digest, same.Digest, "the digest is of the content, not of who reads it")
	other, err := policySet(4).Compile(universe(t, "devices:read"))
	require.NoError(t, err)
	require.NotEqual(t, compiled.Digest, other.Digest)
}

func TestConstraintsBindWhomTheyName(t *testing.T) {
	u := universe(t, "commands:execute", "devices:read", "devices:write")
	p, err := policySet(3).Compile(u)
	require.NoError(t, err)
	now := at(t, "UTC", "2026-11-29 12:00:00")
	inside := abac.Request{Now: now, Addr: prefixes("10.1.2.3/32")[0].Addr()}
	for name, tc := range map[string]struct {
		role, permission string
		level            abac.Level
		req              abac.Request
		version          int64
		want             abac.Reason
	}{
		"a technician with MFA":                    {"technician", "commands:execute", abac.MultiFactor, abac.Request{Now: now}, 3, abac.Allowed},
		"a technician without":                     {"technician", "commands:execute", abac.SingleFactor, abac.Request{Now: now}, 3, abac.MFARequired},
		"what is not constrained":                  {"technician", "devices:read", abac.SingleFactor, abac.Request{Now: now}, 3, abac.Allowed},
		"an operator from inside":                  {"operator", "devices:write", abac.SingleFactor, inside, 3, abac.Allowed},
		"an operator from outside":                 {"operator", "devices:write", abac.SingleFactor, abac.Request{Now: now}, 3, abac.NetworkNotAllowed},
		"both constraints bind an operator":        {"operator", "commands:execute", abac.SingleFactor, inside, 3, abac.MFARequired},
		"a deny is told before any constraint":     {"technician", "devices:write", abac.SingleFactor, abac.Request{}, 3, abac.ExplicitDeny},
		"a token below the minimum is issued anew": {"technician", "devices:read", abac.MultiFactor, inside, 1, abac.StalePolicy},
		"one at the minimum is not":                {"technician", "devices:read", abac.MultiFactor, inside, 2, abac.Allowed},
	} {
		t.Run(name, func(t *testing.T) {
			sub := &abac.Subject{ID: uuid.New(), Role: tc.role, Version: tc.version, Level: tc.level, AuthTime: now, Set: roleSet(t, u, p.Roles, tc.role)}
			need, err := u.Require(tc.permission)
			require.NoError(t, err)
			req := p.Apply(tc.req)
			require.Equal(t, tc.want, need.Decide(sub, req).Reason)
			id, _ := u.ID(tc.permission)
			require.Equal(t, tc.want == abac.Allowed, sub.DecideAll(req).Has(id), "a menu says the same")
		})
	}
	t.Run("constraints of other permissions let nobody through", func(t *testing.T) {
		other := universe(t, "commands:execute")
		need, err := other.Require("commands:execute")
		require.NoError(t, err)
		sub := &abac.Subject{Version: 3, Level: abac.MultiFactor, AuthTime: now, Set: compile(t, other, "*:*")}
		require.Equal(t, abac.InvalidCondition, need.Decide(sub, p.Apply(inside)).Reason)
		require.Zero(t, sub.DecideAll(p.Apply(inside)).Len())
	})
	t.Run("the stricter minimum counts, and nil applies nothing", func(t *testing.T) {
		require.EqualValues(t, 9, p.Apply(abac.Request{MinVersion: 9}).MinVersion)
		require.Equal(t, inside, (*abac.Policies)(nil).Apply(inside))
	})
}

func TestConstraintsOfManyPermissions(t *testing.T) {
	var names []string
	for i := range 200 {
		names = append(names, "r"+itoa(i)+":x")
	}
	u := universe(t, names...)
	roles, err := abac.NewRoles(u, 1, abac.Role{Name: "r", Policies: []string{"*:*"}})
	require.NoError(t, err)
	list := []abac.Constraint{}
	for _, n := range []int{0, 63, 64, 100, 128, 199} {
		list = append(list, abac.Constraint{Policy: names[n], When: []abac.Condition{abac.SameTenant()}})
	}
	constraints, err := abac.NewConstraints(u, roles, list...)
	require.NoError(t, err)
	sub, req := &abac.Subject{Set: compile(t, u, "*:*")}, abac.Request{Constraints: constraints}
	menu := sub.DecideAll(req)
	for n, name := range names {
		bound := false
		for _, c := range list {
			bound = bound || c.Policy == name
		}
		id, _ := u.ID(name)
		need, err := u.Require(name)
		require.NoError(t, err)
		require.Equal(t, !bound, need.Decide(sub, req).Allowed, n)
		require.Equal(t, !bound, menu.Has(id), n)
	}
}

func TestNewConstraintsIsStrict(t *testing.T) {
	u, roles := tom6(t)
	when := []abac.Condition{abac.SameTenant()}
	good := abac.Constraint{Policy: "devices:*", When: when}
	_, err := abac.NewConstraints(u, roles, good, good)
	require.NoError(t, err)
	for name, c := range map[string]abac.Constraint{
		"a malformed pattern":            {Policy: "devices", When: when},
		"a deny":                         {Policy: "!devices:*", When: when},
		"an unknown role":                {Policy: "devices:*", Roles: []string{"nobody"}, When: when},
		"no condition":                   {Policy: "devices:*"},
		"a condition that is not valid":  {Policy: "devices:*", When: []abac.Condition{abac.SameTenant(), {}}},
		"a condition that means nothing": {Policy: "devices:*", When: []abac.Condition{abac.From()}},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := abac.NewConstraints(u, roles, good, c)
			require.ErrorIs(t, err, abac.ErrConstraint)
			require.ErrorContains(t, err, "constraint 1")
		})
	}
	_, err = abac.NewConstraints(nil, roles)
	require.ErrorIs(t, err, abac.ErrConstraint)
	_, err = abac.NewConstraints(u, nil)
	require.ErrorIs(t, err, abac.ErrConstraint)
	many := make([]abac.Constraint, 1025)
	for i := range many {
		many[i] = good
	}
	_, err = abac.NewConstraints(u, roles, many...)
	require.ErrorIs(t, err, abac.ErrConstraint)
	_, err = abac.NewConstraints(u, roles, many[1:]...)
	require.NoError(t, err)
}

func key(seed byte) ed25519.PrivateKey {
	return ed25519.NewKeyFromSeed([]byte(strings.Repeat(string(rune(seed)), ed25519.SeedSize)))
}

func public(k ed25519.PrivateKey) ed25519.PublicKey { return k.Public().(ed25519.PublicKey) }

func keys(t testing.TB) abac.Ed25519 {
	t.Helper()
	v, err := abac.NewEd25519(map[string]ed25519.PublicKey{"a": public(key('a')), "b": public(key('b'))})
	require.NoError(t, err)
	return v
}

func TestASignedPolicySet(t *testing.T) {
	a, b, stranger := abac.Ed25519Signer{"a", key('a')}, abac.Ed25519Signer{"b", key('b')}, abac.Ed25519Signer{"c", key('c')}
	sign := func(signers ...abac.Signer) []byte {
		envelope, err := policySet(3).Sign(signers...)
		require.NoError(t, err)
		return envelope
	}
	for name, tc := range map[string]struct {
		envelope []byte
		quorum   int
		want     error
	}{
		"one signature":                       {sign(a), 1, nil},
		"two signatures":                      {sign(a, b), 2, nil},
		"one of two":                          {sign(a), 2, abac.ErrSignature},
		"a stranger's does not count":         {sign(a, stranger), 2, abac.ErrSignature},
		"a stranger's does not harm":          {sign(stranger, a), 1, nil},
		"a stranger under a known name":       {sign(abac.Ed25519Signer{"a", key('c')}), 1, abac.ErrSignature},
		"one key twice":                       {sign(a, a), 2, abac.ErrFormat},
		"one key under the name of the other": {sign(a, abac.Ed25519Signer{"b", key('a')}), 2, abac.ErrSignature},
		"the bare set":                        {[]byte(policySetText), 1, abac.ErrFormat},
		"nothing":                             {nil, 1, abac.ErrFormat},
	} {
		t.Run(name, func(t *testing.T) {
			p, err := abac.OpenPolicySet(tc.envelope, keys(t), tc.quorum)
			if tc.want != nil {
				require.ErrorIs(t, err, tc.want)
				require.Nil(t, p)
				return
			}
			require.NoError(t, err)
			require.Equal(t, policySet(3), p)
		})
	}
	t.Run("any changed byte is refused", func(t *testing.T) {
		envelope := sign(a)
		for i := range envelope {
			for _, change := range []byte{1, 0x20, 0x80} {
				bent := append([]byte(nil), envelope...)
				bent[i] ^= change
				_, err := abac.OpenPolicySet(bent, keys(t), 1)
				require.Error(t, err, "byte %d", i)
			}
		}
	})
	t.Run("a signed text that is not canonical or not valid is refused", func(t *testing.T) {
		seal := func(payload, payloadType string) []byte {
			_, signature, err := a.Sign([]byte("DSSEv1 " + itoa(len(payloadType)) + " " + payloadType + " " + itoa(len(payload)) + " " + payload))
			require.NoError(t, err)
			envelope, err := json.Marshal(map[string]any{
				"payload": base64.StdEncoding.EncodeToString([]byte(payload)), "payloadType": payloadType,
				"signatures": []map[string]string{{"keyid": "a", "sig": base64.StdEncoding.EncodeToString(signature)}},
			})
			require.NoError(t, err)
			return envelope
		}
		_, err := abac.OpenPolicySet(seal(policySetText, abac.PolicySetType), keys(t), 1)
		require.NoError(t, err, "the envelope is the one of DSSE 1.0")
		_, err = abac.OpenPolicySet(seal(policySetText+" ", abac.PolicySetType), keys(t), 1)
		require.ErrorIs(t, err, abac.ErrFormat)
		_, err = abac.OpenPolicySet(seal(policySetText, "application/json"), keys(t), 1)
		require.ErrorIs(t, err, abac.ErrFormat)
		_, err = abac.OpenPolicySet(seal(strings.Replace(policySetText, `"version":3`, `"version":0`, 1), abac.PolicySetType), keys(t), 1)
		require.ErrorIs(t, err, abac.ErrPolicySet)
	})
	t.Run("what cannot sign or verify is refused", func(t *testing.T) {
		_, err := policySet(3).Sign()
		require.Error(t, err)
		_, err = policySet(3).Sign(abac.Ed25519Signer{ID: "a"})
		require.Error(t, err)
		_, err = policySet(3).Sign(abac.Ed25519Signer{Key: key('a')})
		require.Error(t, err)
		_, err = policySet(0).Sign(a)
		require.ErrorIs(t, err, abac.ErrPolicySet)
		_, err = abac.OpenPolicySet(sign(a), nil, 1)
		require.Error(t, err)
		_, err = abac.OpenPolicySet(sign(a), keys(t), 0)
		require.Error(t, err)
		_, err = abac.OpenPolicySet(sign(a), abac.Ed25519{}, 1)
		require.ErrorIs(t, err, abac.ErrSignature)
		for _, bad := range []map[string]ed25519.PublicKey{
			{"a": public(key('a')), "b": public(key('a'))}, {"": public(key('a'))}, {"a": public(key('a'))[1:]},
		} {
			_, err = abac.NewEd25519(bad)
			require.Error(t, err)
		}
	})
}

func itoa(n int) string { text, _ := json.Marshal(n); return string(text) }

func FuzzPolicySet(f *testing.F) {
	f.Add([]byte(policySetText))
	f.Add([]byte(strings.Replace(policySetText, `"version":3`, `"version":3,"Version":4`, 1)))
	text, err := abac.TOM6PolicySet().Canonical()
	require.NoError(f, err)
	f.Add(text)
	f.Fuzz(func(t *testing.T, data []byte) {
		p, err := abac.ParsePolicySet(data)
		if err != nil {
			require.Nil(t, p)
			return
		}
		text, err := p.Canonical()
		require.NoError(t, err)
		again, err := abac.ParsePolicySet(text)
		require.NoError(t, err)
		require.Equal(t, p, again)
		_, err = p.Compile(universe(t, p.Permissions...))
		require.NoError(t, err)
	})
}

func FuzzOpenPolicySet(f *testing.F) {
	envelope, err := policySet(3).Sign(abac.Ed25519Signer{"a", key('a')}, abac.Ed25519Signer{"b", key('b')})
	require.NoError(f, err)
	f.Add(envelope)
	f.Add([]byte(`{"payload":"","payloadType":"application/vnd.tomkit.policy-set+json","signatures":[]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		if p, err := abac.OpenPolicySet(data, keys(t), 1); err == nil {
			require.Equal(t, policySet(3), p, "nothing else was ever signed")
		}
	})
}

func TestPolicyFile(t *testing.T) {
	path := t.TempDir() + "/policy.json"
	_, err := abac.PolicyFile(path)(t.Context())
	require.ErrorIs(t, err, os.ErrNotExist)
	require.NoError(t, os.WriteFile(path, []byte("text"), 0o600))
	data, err := abac.PolicyFile(path)(t.Context())
	require.NoError(t, err)
	require.Equal(t, "text", string(data))
	require.NoError(t, os.Truncate(path, abac.MaxDocument))
	_, err = abac.PolicyFile(path)(t.Context())
	require.NoError(t, err)
	require.NoError(t, os.Truncate(path, abac.MaxDocument+1))
	_, err = abac.PolicyFile(path)(t.Context())
	require.ErrorIs(t, err, abac.ErrFormat)
}
