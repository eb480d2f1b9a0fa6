package main

import (
	"crypto/ed25519"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/pioneerdesk/tomkit/abac"
)

const clinicPolicies = `{
  "format": "tomkit-policy-set/1", "version": 3, "permissions": ["devices:read", "devices:write", "commands:execute"],
  "roles": [
    {"name": "operator", "policies": ["*:*"], "reserved": true},
    {"name": "technician", "policies": ["devices:*", "commands:execute", "!devices:write"]}
  ],
  "constraints": [
    {"policy": "commands:*", "when": [
      {"mfa": {"level": "multi_factor", "max_age_seconds": 300}}, {"network": ["10.0.0.0/8"]},
      {"time": {"days": ["mon", "tue", "wed", "thu", "fri"], "from": "08:00", "to": "18:00", "zone": "Europe/Berlin"}}]},
    {"policy": "devices:*", "when": [{"tenant": "within"}]}
  ]
}`

func write(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
	return path
}

// refused checks a command that says on standard output what it then fails for.
func refused(t *testing.T, o outcome, code int, text string) {
	t.Helper()
	require.Equal(t, code, o.code, o.err)
	require.Contains(t, o.err, text)
}

func TestPolicyCheck(t *testing.T) {
	plain(t)
	good := write(t, "good.json", clinicPolicies)
	require.Equal(t, "version 3: 3 permissions, 2 roles, 2 constraints, 0 findings\n", tomkit(t, "", "policy", "check", good).done(t))
	require.Equal(t, "[]\n", tomkit(t, "", "policy", "check", "--json", good).done(t))

	odd := write(t, "odd.json", strings.Replace(clinicPolicies, `"!devices:write"`, `"devices:read"`, 1))
	o := tomkit(t, "", "policy", "check", "--fail-on=warning", odd)
	refused(t, o, 1, "1 finding(s) of severity warning or higher")
	require.Contains(t, o.out, "warning  shadowed_allow       technician: devices:read: other policies of the role make it superfluous\n")
	require.Contains(t, tomkit(t, "", "policy", "check", odd).done(t), "1 findings")
	var findings []abac.Finding
	require.NoError(t, json.Unmarshal([]byte(tomkit(t, "", "policy", "check", "--json", odd).done(t)), &findings))
	require.Equal(t, "shadowed_allow", findings[0].Rule)

	escalation := write(t, "escalation.json", strings.Replace(clinicPolicies, `, "reserved": true`, ``, 1))
	refused(t, tomkit(t, "", "policy", "check", escalation), 1, "of severity error")
	tomkit(t, "", "policy", "check", "--fail-on=never", escalation).done(t)

	tomkit(t, "", "policy", "check", "/nonexistent").failed(t, 2, "no such file")
	tomkit(t, "", "policy", "check", write(t, "bad.json", strings.Replace(clinicPolicies, "version", "Version", 1))).failed(t, 2, "malformed document")
	tomkit(t, "", "policy", "check", write(t, "void.json", strings.Replace(clinicPolicies, "!devices:write", "! devices:write", 1))).failed(t, 2, "invalid policy set")
}

func TestPolicyInitIsThePolicyOfTheDocument(t *testing.T) {
	plain(t)
	text := tomkit(t, "", "policy", "init").done(t)
	p, err := abac.ParsePolicySet([]byte(text))
	require.NoError(t, err)
	require.Equal(t, abac.TOM6Roles(), p.Roles)
	require.Contains(t, tomkit(t, "", "policy", "check", "--fail-on=warning", write(t, "tom6.json", text)).done(t), "dead_deny")
}

func TestPolicyDiff(t *testing.T) {
	plain(t)
	old := write(t, "old.json", clinicPolicies)
	changed := strings.NewReplacer(`, "!devices:write"`, ``, `"version": 3`, `"version": 4`, "300", "60").Replace(clinicPolicies)
	next := write(t, "new.json", changed)
	require.Equal(t, "no role may do more or less\n", tomkit(t, "", "policy", "diff", old, old).done(t))
	require.Equal(t, "[]\n", tomkit(t, "", "policy", "diff", "--json", old, old).done(t))
	out := tomkit(t, "", "policy", "diff", old, next).done(t)
	require.Contains(t, out, "technician\n  + devices:write: was refused with explicit_deny, MFA level single_factor, in a tenant below its own, at ")
	require.Contains(t, out, "  - commands:execute: is refused with mfa_required, MFA level multi_factor, 5m0s ago, from 10.0.0.0, at ")
	refused(t, tomkit(t, "", "policy", "diff", "--exit-code", old, next), 1, "gain(s)")
	var changes []map[string]any
	require.NoError(t, json.Unmarshal([]byte(tomkit(t, "", "policy", "diff", "--json", old, next).done(t)), &changes))
	require.Equal(t, "operator", changes[0]["role"])
	tomkit(t, "", "policy", "diff", old, "/nonexistent").failed(t, 2, "no such file")
	require.Contains(t, tomkit(t, "", "policy", "diff", old, write(t, "o.json", strings.Replace(clinicPolicies, `, "reserved": true`, ``, 1))).done(t), "operator no longer reserved\n")
}

func TestPolicyExplain(t *testing.T) {
	plain(t)
	file := write(t, "p.json", clinicPolicies)
	office := []string{"--at=2026-11-30T12:00:00+01:00", "--from=10.1.2.3", "--level=multi_factor", "--age=2m"}
	explain := func(args ...string) []string { return append([]string{"policy", "explain", file}, args...) }

	out := tomkit(t, "", explain(append(office, "technician", "commands:execute")...)...).done(t)
	require.Equal(t, "technician commands:execute: yes (allowed)\n  decided by commands:execute of technician\n", out)

	o := tomkit(t, "", explain("technician", "commands:execute", "--at=2026-11-29T12:00:00+01:00", "--from=::ffff:11.0.0.1", "--age=1h")...)
	refused(t, o, 1, "mfa_required")
	require.Contains(t, o.out, `meeting    {"network":["10.0.0.0/8"]}, for commands:* (network_not_allowed)`)
	require.Contains(t, o.out, "(outside_time_window)")

	o = tomkit(t, "", explain("technician", "devices:write", "--individual=!*:write")...)
	refused(t, o, 1, "explicit_deny")
	require.Equal(t, `technician devices:write: no (explicit_deny)
  decided by !devices:write of technician
  also       devices:* of technician
  also       !*:write of individual
it would be permitted
  without    !devices:write of technician
  without    !*:write of individual
  or as      operator
`, o.out)
	tomkit(t, "", explain("technician", "devices:read", "--tenant=below")...).done(t)
	refused(t, tomkit(t, "", explain("technician", "devices:read", "--tenant=other")...), 1, "tenant_mismatch")
	tomkit(t, "", explain("nobody", "devices:read")...).failed(t, 2, "no role nobody; there are operator, technician")
	tomkit(t, "", explain("technician", "devices:wipe")...).failed(t, 2, "does not list")
	tomkit(t, "", explain("technician", "devices:read", "--from=here")...).failed(t, 2, "not an address")
	tomkit(t, "", explain("technician", "devices:read", "--individual=x")...).failed(t, 2, "no colon")
}

func TestPolicySign(t *testing.T) {
	plain(t)
	public, private, err := ed25519.GenerateKey(nil)
	require.NoError(t, err)
	der, err := x509.MarshalPKCS8PrivateKey(private)
	require.NoError(t, err)
	secret := write(t, "key.pem", string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})))
	der, err = x509.MarshalPKIXPublicKey(public)
	require.NoError(t, err)
	open := write(t, "pub.pem", string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})))
	file := write(t, "p.json", clinicPolicies)

	signed := filepath.Join(t.TempDir(), "signed.json")
	require.Empty(t, tomkit(t, "", "policy", "sign", file, "--id=board", "--key", secret, "--output", signed).done(t))
	envelope, err := os.ReadFile(signed)
	require.NoError(t, err)
	require.Equal(t, string(envelope), tomkit(t, "", "policy", "sign", file, "--id=board", "--key", secret).done(t))
	tomkit(t, "", "policy", "check", signed, "--key", "board="+open).done(t)
	tomkit(t, "", "policy", "check", signed).failed(t, 2, "is signed; give --key")
	tomkit(t, "", "policy", "check", signed, "--key", "other="+open).failed(t, 2, "0 of 1 signatures verify")
	tomkit(t, "", "policy", "check", signed, "--key", "board="+open, "--quorum=2").failed(t, 2, "1 of 2 signatures verify")
	tomkit(t, "", "policy", "check", signed, "--key", "board="+secret).failed(t, 2, "no Ed25519 public key")
	tomkit(t, "", "policy", "check", signed, "--key", "a="+open, "--key", "b="+open).failed(t, 2, "one key under two ids")
	tomkit(t, "", "policy", "check", signed, "--key", "board="+file).failed(t, 2, "not one PEM block")
	tomkit(t, "", "policy", "sign", file, "--id=board", "--key", open).failed(t, 2, "no Ed25519 private key")
	tomkit(t, "", "policy", "sign", file, "--id=board", "--key", "/nonexistent").failed(t, 2, "no such file")
	tomkit(t, "", "policy", "sign", secret, "--id=board", "--key", secret).failed(t, 2, "malformed document")
	require.NoError(t, os.Chmod(secret, 0o644))
	tomkit(t, "", "policy", "sign", file, "--id=board", "--key", secret).failed(t, 2, "key.pem")
}
