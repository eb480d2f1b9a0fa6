package boot_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/pioneerdesk/tomkit/vault"
	"github.com/pioneerdesk/tomkit/vault/boot"
	"github.com/pioneerdesk/tomkit/vault/kv"
	"github.com/pioneerdesk/tomkit/vault/stackit"
	"github.com/pioneerdesk/tomkit/vault/vaulttest"
	"github.com/pioneerdesk/tomkit/vault/wire"
)

// password is the secret that must not show anywhere.
const password = "p4ssw0rd-that-must-not-show"

var manifest = vault.Manifest{{Key: "SEED"}, {Key: "KEK"}, {Key: "DB_PASSWORD", Format: vault.Text}, {Key: "OPTIONAL", Optional: true}}

func stored() map[string]map[string]string {
	key := func(b byte) map[string]string {
		return map[string]string{"value": base64.StdEncoding.EncodeToString(bytes.Repeat([]byte{b}, 32))}
	}
	return map[string]map[string]string{"SEED": key(1), "KEK": key(2), "DB_PASSWORD": {"value": password}, "FOREIGN": {"value": "not asked for"}}
}

// plane is a fake with a clock that everybody shares, and what was seen of a boot.
type plane struct {
	*vaulttest.Server
	clock *vaulttest.Clock

	mu     sync.Mutex
	waits  []time.Duration
	events []boot.Event
}

func newPlane(t testing.TB, cfg vaulttest.Config) *plane {
	t.Helper()
	p := &plane{clock: vaulttest.NewClock(time.Now())}
	cfg.Secrets, cfg.Now = stored(), p.clock.Now
	p.Server = vaulttest.New(t, cfg)
	return p
}

// config boots from the plane, on its clock.
func (p *plane) config(t testing.TB) boot.Config {
	t.Helper()
	return p.configOf(t, p.KeyFile(), wire.Config{Roots: p.Roots(), Now: p.clock.Now})
}

func (p *plane) configOf(t testing.TB, keyFile []byte, connection wire.Config) boot.Config {
	t.Helper()
	key, err := stackit.ParseKey(keyFile, nil)
	require.NoError(t, err)
	return boot.Config{
		Stackit: stackit.Config{
			Key: key, Project: p.Project(), Instance: p.Instance(), API: p.URL(), TokenEndpoint: p.TokenEndpoint(), Wire: connection,
		},
		KV: kv.Config{Wire: connection}, Manifest: manifest, Host: "host-1", Now: p.clock.Now,
		Wait: func(ctx context.Context, d time.Duration) error {
			p.mu.Lock()
			p.waits = append(p.waits, d)
			p.mu.Unlock()
			p.clock.Advance(d)
			return ctx.Err()
		},
		Progress: func(e boot.Event) {
			p.mu.Lock()
			defer p.mu.Unlock()
			p.events = append(p.events, e)
		},
	}
}

// pauses returns how long the boot paused between tries and before it failed.
func (p *plane) pauses() (out []time.Duration) {
	for _, e := range p.events {
		if e.Step == boot.StepPause {
			out = append(out, e.Took)
		}
	}
	return out
}

// boots returns the users that are alive and were made by boots.
func (p *plane) boots() (out []string) {
	for _, u := range p.Users() {
		if _, err := stackit.ParseDescription(u.Description); err == nil {
			out = append(out, u.Description)
		}
	}
	return out
}

func requireSecrets(t testing.TB, s *vault.Snapshot) {
	t.Helper()
	for k, want := range map[vault.Key][]byte{"SEED": bytes.Repeat([]byte{1}, 32), "KEK": bytes.Repeat([]byte{2}, 32), "DB_PASSWORD": []byte(password)} {
		have, ok := s.Secret(k)
		require.True(t, ok, k)
		require.Equal(t, want, have.Reveal(), k)
	}
	_, ok := s.Secret("FOREIGN")
	require.False(t, ok, "more than the manifest asks for")
}
