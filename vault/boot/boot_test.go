package boot_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/pioneerdesk/tomkit/vault"
	"github.com/pioneerdesk/tomkit/vault/boot"
	"github.com/pioneerdesk/tomkit/vault/stackit"
	"github.com/pioneerdesk/tomkit/vault/vaulttest"
	"github.com/pioneerdesk/tomkit/vault/wire"
)

func TestABootTakesTheFiveStepsAndLeavesNothing(t *testing.T) {
	p := newPlane(t, vaulttest.Config{})
	began := p.clock.Now()
	secrets, report, err := boot.Run(t.Context(), p.config(t))
	require.NoError(t, err)
	requireSecrets(t, secrets)
	require.Empty(t, p.boots())
	require.Empty(t, p.Tokens())

	var steps []boot.Step
	for _, e := range p.events {
		require.NoError(t, e.Err)
		require.Equal(t, 1, e.Try)
		steps = append(steps, e.Step)
	}
	require.Equal(t, []boot.Step{boot.StepAuthenticate, boot.StepSweep, boot.StepInstance, boot.StepCreateUser, boot.StepLogin,
		boot.StepFetch, boot.StepRevoke, boot.StepDelete, boot.StepHandOver}, steps)
	require.Equal(t, 1, report.Tries)
	require.Equal(t, []boot.Version{{Key: "SEED", Number: 1}, {Key: "KEK", Number: 1}, {Key: "DB_PASSWORD", Number: 1}}, report.Versions)
	require.Equal(t, began.UTC(), report.Began)
	require.Zero(t, report.TokenUntil)
	for _, call := range p.Journal() {
		require.True(t, call.Step != vaulttest.StepCreateUser || strings.Contains(call.Path, "/users"))
	}
}

func TestATokenIsRevokedBeforeItsUserIsDeleted(t *testing.T) {
	p := newPlane(t, vaulttest.Config{})
	_, _, err := boot.Run(t.Context(), p.config(t))
	require.NoError(t, err)
	steps := p.Steps()
	require.Equal(t, []vaulttest.Step{vaulttest.StepRevoke, vaulttest.StepDeleteUser}, steps[len(steps)-2:])
}

func TestTheWaitsAreTwoFourAndEightSeconds(t *testing.T) {
	for _, step := range []vaulttest.Step{vaulttest.StepToken, vaulttest.StepInstance} {
		p := newPlane(t, vaulttest.Config{})
		p.Inject(step, vaulttest.Every, vaulttest.Fault{Status: 503})
		_, report, err := boot.Run(t.Context(), p.config(t))
		require.ErrorIs(t, err, wire.ErrUnavailable)
		require.Equal(t, 4, report.Tries)
		require.Equal(t, []time.Duration{2 * time.Second, 4 * time.Second, 8 * time.Second}, p.pauses(), "no user was made, so nothing to hold back")
	}
}

func TestAServersRetryAfterLengthensAWait(t *testing.T) {
	p := newPlane(t, vaulttest.Config{})
	p.Inject(vaulttest.StepToken, 1, vaulttest.Fault{Status: 429, RetryAfter: "7"})
	p.Inject(vaulttest.StepToken, 2, vaulttest.Fault{Status: 429, RetryAfter: "1"})
	_, _, err := boot.Run(t.Context(), p.config(t))
	require.NoError(t, err)
	require.Equal(t, []time.Duration{7 * time.Second, 4 * time.Second}, p.pauses())
}

func TestANewUserIsGivenTimeToAppear(t *testing.T) {
	p := newPlane(t, vaulttest.Config{LoginGrace: 3 * time.Second})
	secrets, report, err := boot.Run(t.Context(), p.config(t))
	require.NoError(t, err)
	requireSecrets(t, secrets)
	require.Equal(t, 1, report.Tries)

	p = newPlane(t, vaulttest.Config{LoginGrace: time.Minute})
	_, report, err = boot.Run(t.Context(), p.config(t))
	require.ErrorIs(t, err, wire.ErrAuth)
	require.Equal(t, 1, report.Tries)
	require.Empty(t, p.boots())
}

func TestAMissingSecretEndsTheBoot(t *testing.T) {
	p := newPlane(t, vaulttest.Config{})
	cfg := p.config(t)
	cfg.Manifest = append(cfg.Manifest, vault.Requirement{Key: "ABSENT"}, vault.Requirement{Key: "DB_PASSWORD_2"})
	snapshot, report, err := boot.Run(t.Context(), cfg)
	require.Nil(t, snapshot)
	var missing *vault.ManifestError
	require.ErrorAs(t, err, &missing)
	require.Equal(t, []vault.Key{"ABSENT", "DB_PASSWORD_2"}, missing.Missing)
	require.Equal(t, 1, report.Tries, "waiting does not help")
	require.Empty(t, p.boots())
	require.Empty(t, p.Tokens())
	require.NotContains(t, err.Error(), password)
}

func TestAFailingBootIsHeldBack(t *testing.T) {
	p := newPlane(t, vaulttest.Config{})
	cfg := p.config(t)
	cfg.Manifest = vault.Manifest{{Key: "ABSENT"}}
	_, _, err := boot.Run(t.Context(), cfg)
	require.Error(t, err)
	require.Equal(t, []time.Duration{15 * time.Second}, p.pauses())

	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	cfg.Progress = func(e boot.Event) {
		if e.Step == boot.StepDelete {
			cancel()
		}
	}
	waited := len(p.waits)
	_, _, err = boot.Run(ctx, cfg)
	require.ErrorIs(t, err, context.Canceled)
	require.Len(t, p.waits, waited, "a program that ends does not wait")
}

func TestABootWaitsForAYoungUserOfItsHost(t *testing.T) {
	p := newPlane(t, vaulttest.Config{})
	young := stackit.NewDescription(p.clock.Now().Add(-5*time.Second), "host-1")
	p.AddUser(young.String(), false, p.clock.Now())
	p.AddUser(stackit.NewDescription(p.clock.Now(), "host-2").String(), false, p.clock.Now())
	p.AddUser(stackit.NewDescription(p.clock.Now().Add(time.Hour), "host-1").String(), false, p.clock.Now())
	_, _, err := boot.Run(t.Context(), p.config(t))
	require.NoError(t, err)
	require.Equal(t, []time.Duration{10 * time.Second}, p.pauses())
	require.Len(t, p.boots(), 3, "too young to be left behind")
}

func TestUsersOfDeadBootsAreDeletedAndNoOthers(t *testing.T) {
	p := newPlane(t, vaulttest.Config{})
	now := p.clock.Now()
	p.AddUser(stackit.NewDescription(now.Add(-16*time.Minute), "host-1").String(), false, now)
	p.AddUser(stackit.NewDescription(now.Add(-48*time.Hour), "host-2").String(), false, now)
	young := stackit.NewDescription(now.Add(-14*time.Minute), "host-2").String()
	p.AddUser(young, false, now)
	for _, foreign := range []string{"terraform", "", "onelog-boot-", "onelog-boot-20200101-000000", "Onelog-boot-20200101-000000-00000000-0000000000000000"} {
		p.AddUser(foreign, true, now.Add(-time.Hour))
	}
	_, report, err := boot.Run(t.Context(), p.config(t))
	require.NoError(t, err)
	require.Equal(t, 2, report.Swept)
	require.Equal(t, []string{young}, p.boots())
	require.Len(t, p.Users(), 6)
}

func TestAUserThatCannotBeDeletedStopsTheBoot(t *testing.T) {
	p := newPlane(t, vaulttest.Config{})
	p.Inject(vaulttest.StepDeleteUser, vaulttest.Every, vaulttest.Fault{Status: 500})
	snapshot, report, err := boot.Run(t.Context(), p.config(t))
	require.Nil(t, snapshot)
	require.ErrorIs(t, err, boot.ErrLeftover)
	require.ErrorIs(t, report.Leftover, boot.ErrLeftover)
	require.Equal(t, 1, report.Tries, "no second user beside the one that is left")
	require.Len(t, p.boots(), 1)

	p.Heal()
	p.clock.Advance(time.Minute)
	cfg := p.config(t)
	p.Inject(vaulttest.StepDeleteUser, vaulttest.Every, vaulttest.Fault{Status: 500})
	cfg.AllowLeftoverUnsafe = true
	snapshot, report, err = boot.Run(t.Context(), cfg)
	require.NoError(t, err)
	requireSecrets(t, snapshot)
	require.ErrorIs(t, report.Leftover, boot.ErrLeftover)

	p.Heal()
	p.clock.Advance(16 * time.Minute)
	_, report, err = boot.Run(t.Context(), p.config(t))
	require.NoError(t, err)
	require.Equal(t, 2, report.Swept)
	require.Empty(t, p.boots())
}

func TestAVaultThatForbidsRevocationIsReported(t *testing.T) {
	p := newPlane(t, vaulttest.Config{})
	p.ForbidRevoke(true)
	snapshot, report, err := boot.Run(t.Context(), p.config(t))
	require.NoError(t, err)
	requireSecrets(t, snapshot)
	require.WithinDuration(t, p.clock.Now().Add(15*time.Minute), report.TokenUntil, time.Minute)
	require.Empty(t, p.boots())
}

func TestATerminatedBootRemovesItsUser(t *testing.T) {
	for _, at := range []boot.Step{boot.StepCreateUser, boot.StepLogin, boot.StepFetch} {
		p := newPlane(t, vaulttest.Config{})
		ctx, cancel := context.WithCancel(t.Context())
		cfg := p.config(t)
		cfg.Progress = func(e boot.Event) {
			if e.Step == at {
				cancel()
			}
		}
		_, _, err := boot.Run(ctx, cfg)
		if at != boot.StepFetch { // by then all is there
			require.ErrorIs(t, err, context.Canceled)
		}
		require.Empty(t, p.boots(), at)
		require.Empty(t, p.Tokens(), at)
	}
}

func TestAPanicPassesAndLeavesNothing(t *testing.T) {
	p := newPlane(t, vaulttest.Config{})
	cfg := p.config(t)
	cfg.Progress = func(e boot.Event) {
		if e.Step == boot.StepLogin {
			panic("progress")
		}
	}
	require.PanicsWithValue(t, "progress", func() { _, _, _ = boot.Run(t.Context(), cfg) })
	require.Empty(t, p.boots())
	require.Empty(t, p.Tokens())
}

func TestNothingABootTellsShowsASecret(t *testing.T) {
	p := newPlane(t, vaulttest.Config{})
	var told strings.Builder
	cfg := p.config(t)
	cfg.Progress = func(e boot.Event) { fmt.Fprintf(&told, "%+v\n", e) }
	snapshot, report, err := boot.Run(t.Context(), cfg)
	require.NoError(t, err)
	fmt.Fprintf(&told, "%+v %#v %+v %v", report, report, snapshot, cfg)
	require.NotContains(t, told.String(), password)
	require.NotContains(t, told.String(), "PRIVATE KEY")
}

func TestBadConfigsAreRefusedBeforeAnythingIsSent(t *testing.T) {
	p := newPlane(t, vaulttest.Config{})
	for name, change := range map[string]func(*boot.Config){
		"a negative grace":    func(c *boot.Config) { c.LoginGrace = -1 },
		"a negative age":      func(c *boot.Config) { c.OrphanAge = -1 },
		"a negative interval": func(c *boot.Config) { c.MinInterval = -1 },
		"a negative timeout":  func(c *boot.Config) { c.CleanupTimeout = -1 },
		"an address":          func(c *boot.Config) { c.KV.Address = "https://vault.example" },
		"a mount":             func(c *boot.Config) { c.KV.Mount = "kv" },
		"no key":              func(c *boot.Config) { c.Stackit.Key = nil },
	} {
		cfg := p.config(t)
		change(&cfg)
		_, _, err := boot.Run(t.Context(), cfg)
		require.ErrorIs(t, err, boot.ErrConfig, name)
	}
	require.Empty(t, p.Journal())
}

func TestReadsAreLocated(t *testing.T) {
	p := newPlane(t, vaulttest.Config{})
	require.NoError(t, p.Put("apps/tomkit", map[string]string{"a": "one", "b": "two"}))
	cfg := p.config(t)
	cfg.Manifest = vault.Manifest{{Key: "A", Format: vault.Text}, {Key: "B", Format: vault.Text}, {Key: "C", Format: vault.Text, Optional: true}}
	cfg.Locate = func(k vault.Key) (string, string) { return "apps/tomkit", strings.ToLower(string(k)) }
	snapshot, _, err := boot.Run(t.Context(), cfg)
	require.NoError(t, err)
	b, _ := snapshot.Secret("B")
	require.Equal(t, "two", string(b.Reveal()))
}

func TestABootFeedsALive(t *testing.T) {
	p := newPlane(t, vaulttest.Config{})
	fetch := func(ctx context.Context) (*vault.Snapshot, error) {
		snapshot, _, err := boot.Run(ctx, p.config(t))
		return snapshot, err
	}
	first, err := fetch(t.Context())
	require.NoError(t, err)
	live, err := vault.NewLive(first, vault.LiveConfig{Fetch: fetch})
	require.NoError(t, err)
	defer live.Close()
	require.NoError(t, p.Put("DB_PASSWORD", map[string]string{"value": "rotated"}))
	p.clock.Advance(time.Hour)
	changed, err := live.Refresh(t.Context())
	require.NoError(t, err)
	require.Equal(t, []vault.Key{"DB_PASSWORD"}, changed)
	p.SetState(vaulttest.Sealed)
	_, err = live.Refresh(t.Context())
	require.Error(t, err)
	require.NoError(t, live.Use(func(s *vault.Snapshot) error {
		if v, _ := s.Secret("DB_PASSWORD"); string(v.Reveal()) != "rotated" {
			return errors.New("lost")
		}
		return nil
	}))
}
