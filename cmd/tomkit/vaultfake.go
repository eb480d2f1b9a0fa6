package main

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/pioneerdesk/tomkit/internal/cli"
	"github.com/pioneerdesk/tomkit/vault"
	"github.com/pioneerdesk/tomkit/vault/boot"
	"github.com/pioneerdesk/tomkit/vault/vaulttest"
)

type vaultFakeCmd struct {
	Listen  string        `help:"Address to listen on." default:"127.0.0.1:8200" placeholder:"HOST:PORT"`
	Host    []string      `help:"Further name the certificate is for; the first is the one clients are told." placeholder:"NAME"`
	Secrets string        `help:"JSON file of secrets: a path to its fields and values, or to one text, which becomes the field value. Default: tomkit's own keys, random." placeholder:"FILE"`
	Dir     string        `help:"Directory for the service account key and the CA certificate. Default: a new one that is removed at the end." placeholder:"DIR"`
	Grace   time.Duration `name:"login-grace" help:"How long the Vault does not know a new user yet."`
	PrintCA bool          `name:"print-ca" help:"Print the CA certificate too."`
}

// maxSecrets is the largest file of secrets in bytes.
const maxSecrets = 1 << 20

// Run serves the fake of a STACKIT Secrets Manager until it is interrupted.
func (v *vaultFakeCmd) Run(ctx context.Context, c *console) (err error) {
	secrets, err := v.secrets()
	if err != nil {
		return err
	}
	fake, err := vaulttest.Start(vaulttest.Config{Listen: v.Listen, Hosts: v.Host, Secrets: secrets, LoginGrace: v.Grace})
	if err != nil {
		return usage(err)
	}
	defer fake.Close()
	dir := v.Dir
	if dir == "" {
		if dir, err = os.MkdirTemp("", "tomkit-vault-fake-"); err != nil {
			return fmt.Errorf("make directory: %w", err)
		}
		defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	}
	key, ca := filepath.Join(dir, "service-account.json"), filepath.Join(dir, "ca.pem")
	if err := errors.Join(writeNew(key, fake.KeyFile(), 0o600), writeNew(ca, fake.CA(), 0o644)); err != nil {
		return usage(err)
	}
	fmt.Fprintln(c.err, "THIS IS A FAKE: it keeps nothing, and whoever can read its key file reads every secret in it")
	for _, setting := range [][2]string{
		{boot.EnvProject, fake.Project()}, {boot.EnvInstance, fake.Instance()}, {boot.EnvAPI, fake.URL()},
		{boot.EnvTokenEndpoint, fake.TokenEndpoint()}, {boot.EnvKeyFile, key}, {boot.EnvCAFile, ca},
	} {
		fmt.Fprintf(c.out, "%s=%s\n", setting[0], setting[1])
	}
	if v.PrintCA {
		fmt.Fprintf(c.out, "%s", fake.CA())
	}
	<-ctx.Done()
	return nil
}

// writeNew replaces a file; one with an older, laxer mode is not written into.
func writeNew(path string, data []byte, mode os.FileMode) error {
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("write: %w", err)
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
	if err != nil {
		return fmt.Errorf("write: %w", err)
	}
	_, err = f.Write(data)
	return errors.Join(err, f.Close())
}

// secrets returns those of the file, or random keys for everything that tomkit needs.
func (v *vaultFakeCmd) secrets() (map[string]map[string]string, error) {
	if v.Secrets == "" {
		return randomSecrets(), nil
	}
	info, err := os.Stat(v.Secrets)
	if err != nil {
		return nil, cli.UsageError("secrets: %w", err)
	}
	if !info.Mode().IsRegular() || info.Size() > maxSecrets {
		return nil, cli.UsageError("secrets: %s is no regular file of at most 1 MiB", v.Secrets)
	}
	data, err := os.ReadFile(v.Secrets)
	if err != nil {
		return nil, cli.UsageError("secrets: %w", err)
	}
	var values map[string]any
	if json.Unmarshal(data, &values) != nil {
		return nil, cli.UsageError("secrets: %s is no JSON object", v.Secrets) // the library's text repeats the input
	}
	out := map[string]map[string]string{}
	for path, value := range values {
		if out[path] = fieldsOf(value); out[path] == nil {
			return nil, cli.UsageError("secrets: %q is neither text nor an object of texts", path)
		}
	}
	return out, nil
}

// fieldsOf returns nil if value is neither text nor an object of texts.
func fieldsOf(value any) map[string]string {
	switch value := value.(type) {
	case string:
		return map[string]string{"value": value}
	case map[string]any:
		fields := map[string]string{}
		for name, v := range value {
			text, ok := v.(string)
			if !ok {
				return nil
			}
			fields[name] = text
		}
		return fields
	}
	return nil
}

func randomSecrets() map[string]map[string]string {
	out := map[string]map[string]string{}
	for _, r := range vault.DefaultManifest() {
		if r.Optional || r.Format != vault.Key256 {
			continue
		}
		key := make([]byte, 32)
		_, _ = rand.Read(key) // does not fail
		out[string(r.Key)] = map[string]string{"value": base64.StdEncoding.EncodeToString(key)}
	}
	return out
}
