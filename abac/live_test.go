package abac_test

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/pioneerdesk/tomkit/abac"
)

// shelf is a source whose content a test changes.
type shelf struct {
	mu   sync.Mutex
	data []byte
	err  error
}

func (s *shelf) read(context.Context) ([]byte, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.data, s.err
}

func (s *shelf) put(data []byte, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.data, s.err = data, err
}

func signed(t testing.TB, p *abac.PolicySet) []byte {
	t.Helper()
	envelope, err := p.Sign(abac.Ed25519Signer{"a", key('a')})
	require.NoError(t, err)
	return envelope
}

func TestLive(t *testing.T) {
	u := universe(t, "commands:execute", "devices:read")
	now := at(t, "UTC", "2026-11-29 12:00:00")
	var alarms []error
	var changes []int64
	var refuse error
	place := &shelf{data: signed(t, policySet(3))}
	live, err := abac.NewLive(t.Context(), abac.LiveConfig{
		Universe: u, Verifier: keys(t), Source: place.read, Now: func() time.Time { return now },
		OnAlarm: func(err error) { alarms = append(alarms, err) },
		OnChange: func(p *abac.Policies) error {
			changes = append(changes, p.Version)
			return refuse
		},
	})
	require.NoError(t, err)
	require.EqualValues(t, 3, live.Policies().Version)
	require.EqualValues(t, 2, live.Policies().MinVersion)
	require.Equal(t, abac.LiveState{Version: 3, Loaded: now, Changes: 1}, live.State())

	bent := policySet(4)
	bent.Roles[0].Policies = []string{"devices:read"}
	other := policySet(3)
	other.MinVersion = 1
	foreign, err := policySet(9).Sign(abac.Ed25519Signer{"c", key('c')})
	require.NoError(t, err)
	unlisted := policySet(9)
	unlisted.Permissions, unlisted.Constraints = []string{"devices:read", "devices:write"}, nil
	unlisted.Roles = unlisted.Roles[:1]
	before := live.Policies()
	gone := errors.New("gone")
	for i, step := range []struct {
		name string
		data []byte
		err  error
		want error
	}{
		{"the file is gone", nil, gone, gone},
		{"half a file", signed(t, policySet(4))[:100], nil, abac.ErrFormat},
		{"a file a stranger signed", foreign, nil, abac.ErrSignature},
		{"an older set", signed(t, policySet(2)), nil, abac.ErrRollback},
		{"another set under the same version", signed(t, other), nil, abac.ErrRollback},
		{"a set that does not list a permission of ours", signed(t, unlisted), nil, abac.ErrPolicySet},
	} {
		now = now.Add(time.Minute)
		place.put(step.data, step.err)
		require.ErrorIs(t, live.Reload(t.Context()), step.want, step.name)
		require.Same(t, before, live.Policies(), "%s: the old set stays in force", step.name)
		require.ErrorIs(t, live.Ready(), step.want, step.name)
		require.Len(t, alarms, i+1, step.name)
		s := live.State()
		require.EqualValues(t, i+1, s.Failures)
		require.Equal(t, at(t, "UTC", "2026-11-29 12:01:00"), s.Failing, "since the first failure")
	}
	t.Run("the set in force, back in its place, ends the alarm", func(t *testing.T) {
		place.put(signed(t, policySet(3)), nil)
		require.NoError(t, live.Reload(t.Context()))
		require.NoError(t, live.Ready())
		require.Equal(t, abac.LiveState{Version: 3, Loaded: at(t, "UTC", "2026-11-29 12:00:00"), Changes: 1, Failures: 6}, live.State())
		require.Same(t, before, live.Policies())
	})
	t.Run("signed once more, it is still the set in force", func(t *testing.T) {
		both, err := policySet(3).Sign(abac.Ed25519Signer{"a", key('a')}, abac.Ed25519Signer{"b", key('b')})
		require.NoError(t, err)
		place.put(both, nil)
		require.NoError(t, live.Reload(t.Context()))
		require.Same(t, before, live.Policies())
	})
	t.Run("a set that somebody refuses does not come into force", func(t *testing.T) {
		refuse = errors.New("cannot be saved")
		place.put(signed(t, policySet(5)), nil)
		require.ErrorIs(t, live.Reload(t.Context()), refuse)
		require.Same(t, before, live.Policies())
		refuse = nil
	})
	t.Run("and does so when it is tried again", func(t *testing.T) {
		now = now.Add(time.Minute)
		require.NoError(t, live.Reload(t.Context()))
		require.EqualValues(t, 5, live.Policies().Version)
		require.NoError(t, live.Ready())
		require.Equal(t, abac.LiveState{Version: 5, Loaded: now, Changes: 2, Failures: 7}, live.State())
		require.Equal(t, []int64{3, 5, 5}, changes)
	})
	t.Run("an end of the program is no alarm", func(t *testing.T) {
		ended, cancel := context.WithCancel(t.Context())
		cancel()
		place.put(nil, context.Canceled)
		require.Error(t, live.Reload(ended))
		require.NoError(t, live.Ready())
	})
}

func TestNewLive(t *testing.T) {
	u, place := universe(t, "devices:read"), &shelf{data: signed(t, policySet(3))}
	good := abac.LiveConfig{Universe: u, Verifier: keys(t), Source: place.read, Floor: 3}
	_, err := abac.NewLive(t.Context(), good)
	require.NoError(t, err)
	for name, change := range map[string]func(*abac.LiveConfig){
		"no universe":              func(c *abac.LiveConfig) { c.Universe = nil },
		"no verifier":              func(c *abac.LiveConfig) { c.Verifier = nil },
		"no source":                func(c *abac.LiveConfig) { c.Source = nil },
		"a negative interval":      func(c *abac.LiveConfig) { c.Interval = -1 },
		"a negative quorum":        func(c *abac.LiveConfig) { c.Quorum = -1 },
		"a negative floor":         func(c *abac.LiveConfig) { c.Floor = -1 },
		"a floor above the set":    func(c *abac.LiveConfig) { c.Floor = 4 },
		"more signatures demanded": func(c *abac.LiveConfig) { c.Quorum = 2 },
		"an empty source":          func(c *abac.LiveConfig) { c.Source = new(shelf).read },
	} {
		t.Run("refuses "+name, func(t *testing.T) {
			cfg := good
			change(&cfg)
			live, err := abac.NewLive(t.Context(), cfg)
			require.Error(t, err)
			require.Nil(t, live)
		})
	}
}

func TestLiveLooksEveryInterval(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		place := &shelf{data: signed(t, policySet(3))}
		live, err := abac.NewLive(t.Context(), abac.LiveConfig{Universe: universe(t, "devices:read"), Verifier: keys(t), Source: place.read})
		require.NoError(t, err)
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- live.Run(ctx) }()
		place.put(signed(t, policySet(4)), nil)
		time.Sleep(10*time.Second - 1)
		synctest.Wait()
		require.EqualValues(t, 3, live.Policies().Version)
		time.Sleep(time.Nanosecond)
		synctest.Wait()
		require.EqualValues(t, 4, live.Policies().Version)
		place.put([]byte("no"), nil)
		time.Sleep(time.Minute)
		synctest.Wait()
		require.EqualValues(t, 6, live.State().Failures)
		cancel()
		require.NoError(t, <-done)
	})
}

// TestASetIsSwappedWhole decides in many goroutines while the set changes: a role is never seen with the other's version.
func TestASetIsSwappedWhole(t *testing.T) {
	u, place := universe(t, "devices:read"), &shelf{}
	put := func(version int64) {
		p := policySet(version)
		p.Roles[1].Policies = []string{"devices:read", "commands:execute"}
		if version%2 == 0 {
			p.Roles[1].Policies[0] = "devices:write"
		}
		place.put(signed(t, p), nil)
	}
	put(3)
	live, err := abac.NewLive(t.Context(), abac.LiveConfig{Universe: u, Verifier: keys(t), Source: place.read})
	require.NoError(t, err)
	var stop atomic.Bool
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for !stop.Load() {
				p := live.Policies()
				role, _ := p.Roles.Role("technician")
				if (p.Version%2 == 0) != (role.Policies[0] == "devices:write") || p.Roles.Version() != p.Version {
					t.Error("half of one set and half of another")
				}
			}
		})
	}
	for version := int64(4); version < 60; version++ {
		put(version)
		require.NoError(t, live.Reload(t.Context()))
	}
	stop.Store(true)
	wg.Wait()
}
