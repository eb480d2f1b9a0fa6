package main

import (
	"crypto/ed25519"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	_ "time/tzdata" // time windows have to be readable on every machine

	"github.com/pioneerdesk/tomkit/abac"
	"github.com/pioneerdesk/tomkit/internal/cli"
	"github.com/pioneerdesk/tomkit/vault"
)

type policyCmd struct {
	Check   policyCheckCmd   `cmd:"" help:"Find what the author of a policy set cannot have meant."`
	Diff    policyDiffCmd    `cmd:"" help:"Say what a new policy set lets each role do that the old one did not, and the other way round."`
	Explain policyExplainCmd `cmd:"" help:"Say why holders of a role may or may not use a permission."`
	Sign    policySignCmd    `cmd:"" help:"Sign a policy set."`
	Init    policyInitCmd    `cmd:"" help:"Print the roles of TOM 1.3.1 as a policy set to begin with."`
}

// keysFlag names the public keys that open a signed policy set.
type keysFlag struct {
	Key    map[string]string `help:"Public key that may have signed: id=FILE, PEM as OpenSSL writes it; may be repeated." placeholder:"ID=FILE"`
	Quorum int               `help:"How many different keys have to have signed." default:"1"`
}

// read reads a policy set, plain or, if keys are given, signed.
func (k *keysFlag) read(path string) (*abac.PolicySet, error) {
	data, err := readPolicyFile(path)
	if err != nil {
		return nil, err
	}
	if len(k.Key) == 0 {
		p, err := abac.ParsePolicySet(data)
		if err != nil && strings.Contains(string(data), abac.PolicySetType) {
			return nil, cli.UsageError("%s is signed; give --key", path)
		}
		return p, usage(err)
	}
	keys := make(map[string]ed25519.PublicKey)
	for id, file := range k.Key {
		block, err := readPEM(readBounded(file, maxPEM))
		if err != nil {
			return nil, cli.UsageError("%s: %v", file, err)
		}
		parsed, err := x509.ParsePKIXPublicKey(block)
		key, ok := parsed.(ed25519.PublicKey)
		if err != nil || !ok {
			return nil, cli.UsageError("%s holds no Ed25519 public key", file)
		}
		keys[id] = key
	}
	verifier, err := abac.NewEd25519(keys)
	if err != nil {
		return nil, usage(err)
	}
	p, err := abac.OpenPolicySet(data, verifier, k.Quorum)
	return p, usage(err)
}

func readPolicyFile(path string) ([]byte, error) {
	data, err := readBounded(path, abac.MaxDocument)
	return data, usage(err)
}

// readBounded reads a file of at most limit bytes.
func readBounded(path string, limit int64) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err == nil && int64(len(data)) > limit {
		return nil, fmt.Errorf("%s is larger than %d bytes", path, limit)
	}
	return data, err
}

func readPEM(data []byte, err error) ([]byte, error) {
	if err != nil {
		return nil, err
	}
	block, rest := pem.Decode(data)
	if block == nil || len(strings.TrimSpace(string(rest))) > 0 {
		return nil, errors.New("not one PEM block")
	}
	return block.Bytes, nil
}

const maxPEM = 4 << 10 // bytes of a key

// usage makes err one of the input.
func usage(err error) error {
	if err == nil {
		return nil
	}
	return &cli.ExitError{Code: cli.Usage, Err: err}
}

func printJSON(out io.Writer, v any) error {
	encoder := json.NewEncoder(out)
	encoder.SetIndent("", "  ")
	return encoder.Encode(v)
}

type policyCheckCmd struct {
	keysFlag
	File   string `arg:"" help:"Policy set."`
	JSON   bool   `name:"json" help:"Print findings as JSON."`
	FailOn string `help:"Lowest severity that makes the command fail: ${enum}." enum:"error,warning,note,never" default:"error"`
}

// Run lints the set. A set that is not valid is one that cannot be used.
func (k *policyCheckCmd) Run(c *console) error {
	p, err := k.read(k.File)
	if err != nil {
		return err
	}
	findings, err := p.Lint()
	if err != nil {
		return usage(err)
	}
	if k.JSON {
		if findings == nil {
			findings = []abac.Finding{}
		}
		err = printJSON(c.out, findings)
	} else {
		err = printFindings(c.out, p, findings)
	}
	if err != nil {
		return err
	}
	ranks := map[string]int{"never": 0, string(abac.SeverityError): 1, string(abac.SeverityWarning): 2, string(abac.SeverityNote): 3}
	failing := 0
	for _, f := range findings {
		if ranks[string(f.Severity)] <= ranks[k.FailOn] {
			failing++
		}
	}
	if failing > 0 {
		return fmt.Errorf("policy check: %d finding(s) of severity %s or higher", failing, k.FailOn)
	}
	return nil
}

func printFindings(out io.Writer, p *abac.PolicySet, findings []abac.Finding) error {
	var b strings.Builder
	for _, f := range findings {
		where := strings.Join(strings.Fields(f.Role+" "+f.Policy), ": ")
		fmt.Fprintf(&b, "%-7s  %-19s  %s", f.Severity, f.Rule, strings.Join(strings.Fields(where+" "+f.Proof), " "))
		fmt.Fprintf(&b, ": %s\n", f.Fact)
	}
	fmt.Fprintf(&b, "version %d: %d permissions, %d roles, %d constraints, %d findings\n",
		p.Version, len(p.Permissions), len(p.Roles), len(p.Constraints), len(findings))
	_, err := io.WriteString(out, b.String())
	return err
}

type policyDiffCmd struct {
	keysFlag
	Old  string `arg:"" help:"Policy set before."`
	New  string `arg:"" help:"Policy set after."`
	JSON bool   `name:"json" help:"Print changes as JSON."`
	Fail bool   `name:"exit-code" help:"Fail if any role gains something."`
}

// Run prints what changes for each role.
func (k *policyDiffCmd) Run(c *console) error {
	old, err := k.read(k.Old)
	if err != nil {
		return err
	}
	next, err := k.read(k.New)
	if err != nil {
		return err
	}
	changes, err := abac.DiffPolicySets(old, next)
	if err != nil {
		return usage(err)
	}
	if k.JSON {
		if changes == nil {
			changes = []abac.Change{}
		}
		err = printJSON(c.out, changes)
	} else {
		err = printChanges(c.out, changes)
	}
	gains := 0
	for _, change := range changes {
		gains += len(change.Gains)
	}
	if err == nil && k.Fail && gains > 0 {
		err = fmt.Errorf("policy diff: %d gain(s)", gains)
	}
	return err
}

func printChanges(out io.Writer, changes []abac.Change) error {
	var b strings.Builder
	for _, c := range changes {
		var notes []string
		for _, note := range []struct {
			on   bool
			text string
		}{{c.Added, "new"}, {c.Removed, "gone"}, {c.Reserved, "now reserved"}, {c.Released, "no longer reserved"}} {
			if note.on {
				notes = append(notes, note.text)
			}
		}
		fmt.Fprintln(&b, strings.TrimSpace(c.Role+" "+strings.Join(notes, ", ")))
		printShifts(&b, "+", "was refused", c.Gains)
		printShifts(&b, "-", "is refused", c.Losses)
	}
	if len(changes) == 0 {
		b.WriteString("no role may do more or less\n")
	}
	_, err := io.WriteString(out, b.String())
	return err
}

func printShifts(b *strings.Builder, sign, tense string, shifts []abac.Shift) {
	for _, s := range shifts {
		fmt.Fprintf(b, "  %s %s", sign, s.Permission)
		if s.Unlisted {
			b.WriteString(" (not listed)")
		}
		switch {
		case s.Answer == abac.Unknown:
			b.WriteString(": depends on the clocks of several zones")
		default:
			fmt.Fprintf(b, ": %s with %s, %s", tense, s.Reason, circumstances(s.Case))
		}
		b.WriteByte('\n')
	}
}

// circumstances says what a case brings along.
func circumstances(c *abac.Case) string {
	facts := []string{"MFA level " + c.Subject.Level.String()}
	add := func(known bool, format string, args ...any) {
		if known {
			facts = append(facts, fmt.Sprintf(format, args...))
		}
	}
	add(!c.Subject.AuthTime.IsZero(), "%s ago", c.Request.Now.Sub(c.Subject.AuthTime))
	add(c.Request.Addr.IsValid(), "from %s", c.Request.Addr)
	add(c.Request.Tenant == c.Subject.Tenant, "in its own tenant")
	add(c.Request.Hierarchy != nil, "in a tenant below its own")
	add(c.Subject.Posture != 0, "on a device that shows %s", c.Subject.Posture)
	add(c.Request.Approval != nil, "approved by a second person")
	add(c.Request.Label != nil, "cleared for the label")
	add(true, "at %s", c.Request.Now.Format("Mon 2006-01-02 15:04 MST"))
	return strings.Join(facts, ", ")
}

type policySignCmd struct {
	File   string `arg:"" help:"Policy set."`
	ID     string `name:"id" help:"Id of the key." required:""`
	Key    string `help:"File with the Ed25519 private key, readable by its owner only: openssl genpkey -algorithm ed25519." required:"" placeholder:"FILE"`
	Output string `help:"Write the envelope to this file in place of standard output." placeholder:"FILE"`
}

// Run signs the set's canonical form.
func (k *policySignCmd) Run(c *console) error {
	data, err := readPolicyFile(k.File)
	if err != nil {
		return err
	}
	p, err := abac.ParsePolicySet(data)
	if err != nil {
		return usage(err)
	}
	block, err := readPEM(vault.ReadPrivateFile(k.Key, maxPEM))
	if err != nil {
		return cli.UsageError("%s: %v", k.Key, err)
	}
	parsed, err := x509.ParsePKCS8PrivateKey(block)
	key, ok := parsed.(ed25519.PrivateKey)
	if err != nil || !ok {
		return cli.UsageError("%s holds no Ed25519 private key", k.Key)
	}
	envelope, err := p.Sign(abac.Ed25519Signer{ID: k.ID, Key: key})
	if err != nil {
		return err
	}
	if k.Output != "" {
		if sameFile(k.Output, k.File) || sameFile(k.Output, k.Key) {
			return cli.UsageError("--output: %s is what is read", k.Output)
		}
		return usage(os.WriteFile(k.Output, append(envelope, '\n'), 0o644)) // signed, not secret
	}
	_, err = fmt.Fprintf(c.out, "%s\n", envelope)
	return err
}

// sameFile reports whether two names are of one file.
func sameFile(a, b string) bool {
	x, errX := os.Stat(a)
	y, errY := os.Stat(b)
	return errX == nil && errY == nil && os.SameFile(x, y)
}

type policyInitCmd struct{}

// Run prints the document's roles.
func (policyInitCmd) Run(c *console) error {
	text, err := abac.TOM6PolicySet().Canonical()
	if err != nil {
		return err
	}
	return printJSON(c.out, json.RawMessage(text))
}
