package server

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/pioneerdesk/tomkit/ledger/record"
	"github.com/pioneerdesk/tomkit/rls"
	"github.com/pioneerdesk/tomkit/rls/tenant"
	"github.com/pioneerdesk/tomkit/vault"
	"github.com/pioneerdesk/tomkit/vault/boot"
	"github.com/pioneerdesk/tomkit/vault/stackit"
)

// reasonSecrets is the purpose of the scope that records how the secrets were loaded.
const reasonSecrets rls.Reason = "secrets_loaded"

// bootSecrets loads the manifest from the secrets manager.
func (s *Server) bootSecrets(ctx context.Context, manifest vault.Manifest) (*vault.Snapshot, error) {
	cfg, err := s.cfg.Vault()
	if err != nil {
		return nil, fmt.Errorf("server: secrets: %w", err)
	}
	s.warnOfExpiry(ctx, cfg.Stackit.Key)
	cfg.Manifest = manifest
	cfg.Progress = func(e boot.Event) { s.logStep(ctx, e) }
	snapshot, report, err := boot.Run(ctx, cfg)
	if err != nil {
		return nil, fmt.Errorf("server: secrets: %w", err)
	}
	s.boot = &report
	s.log.InfoContext(ctx, "secrets are loaded", "versions", versions(report), "tries", report.Tries, "took", report.Took, "swept", report.Swept)
	if report.Leftover != nil {
		s.log.ErrorContext(ctx, "a user that reads every secret is left in the vault", "error", report.Leftover.Error())
	}
	return snapshot, nil
}

func (s *Server) warnOfExpiry(ctx context.Context, key *stackit.Key) {
	if key == nil {
		return // the boot will say so
	}
	if urgency, left := key.Expiry(s.cfg.Now()); urgency >= stackit.Notice {
		s.log.WarnContext(ctx, "the service account key has to be replaced", "kid", key.KID, "left", left.Round(time.Minute))
	}
}

// logStep logs names, durations and errors of fixed words, which is all that an Event holds.
func (s *Server) logStep(ctx context.Context, e boot.Event) {
	switch {
	case e.Err != nil:
		s.log.WarnContext(ctx, "loading the secrets: step failed", "step", string(e.Step), "try", e.Try, "took", e.Took, "error", e.Err.Error())
	case e.Step == boot.StepPause:
		s.log.WarnContext(ctx, "loading the secrets: waiting", "try", e.Try, "for", e.Took)
	default:
		s.log.DebugContext(ctx, "loading the secrets", "step", string(e.Step), "try", e.Try, "took", e.Took)
	}
}

func versions(r boot.Report) []string {
	out := make([]string, len(r.Versions))
	for i, v := range r.Versions {
		out[i] = fmt.Sprintf("%s (Version %d)", v.Key, v.Number)
	}
	return out
}

// recordBoot writes which secrets were loaded, by names and versions, into the operator's log, once. Before there is an operator it waits
// until the end, so that the boot of the very bootstrap is recorded too.
func (s *Server) recordBoot(ctx context.Context) error {
	if s.boot == nil {
		return nil
	}
	write := func(ctx context.Context) error {
		return s.DB.System(ctx, reasonSecrets, func(ctx context.Context, tx *rls.Tx) error {
			operator, err := tenant.OperatorID(ctx, tx)
			if err != nil {
				return err
			}
			return s.Ledger.RecordTx(ctx, tx, bootEvent(operator, *s.boot))
		})
	}
	err := write(ctx)
	if !errors.Is(err, tenant.ErrUnknown) {
		return err
	}
	s.closers = append(s.closers, func(ctx context.Context) error {
		ctx, cancel := context.WithTimeout(ctx, shutdownLimit)
		defer cancel()
		if err := write(ctx); !errors.Is(err, tenant.ErrUnknown) {
			return err
		}
		return nil
	})
	return nil
}

func bootEvent(operator uuid.UUID, r boot.Report) record.Event {
	numbers := map[string]any{}
	for _, v := range r.Versions {
		numbers[string(v.Key)] = v.Number
	}
	return record.Event{
		Tenant: operator, Action: "secrets_loaded", EntityType: "secrets",
		Details: map[string]any{"versions": numbers, "tries": r.Tries, "took_ms": r.Took.Milliseconds(), "swept": r.Swept},
		Narrative: record.Narrative{Template: "secrets_loaded", Args: map[string]any{
			"at": r.Began, "count": len(r.Versions), "keys": strings.Join(versions(r), ", "),
		}},
	}
}

// manifest lists what this server uses; nothing else is fetched. Passwords of its logins are used where connection strings are given.
func (c Config) manifest() vault.Manifest {
	unused := []vault.Key{vault.DatabaseBackupPassword, vault.RedisPassword, vault.StackitLLMToken}
	if c.AppURL == "" {
		for _, login := range c.logins() {
			unused = append(unused, login.password)
		}
	}
	return slices.DeleteFunc(vault.DefaultManifest(), func(r vault.Requirement) bool { return slices.Contains(unused, r.Key) })
}

// login is one of the configured connection strings.
type login struct {
	role     string
	password vault.Key
	url      *string
}

func (c *Config) logins() []login {
	return []login{
		{rls.RoleApp, vault.DatabaseAppPassword, &c.AppURL}, {rls.RoleMSP, vault.DatabaseMSPPassword, &c.MSPURL},
		{rls.RoleSystem, vault.DatabaseSystemPassword, &c.SystemURL}, {rls.RoleMigrator, vault.DatabaseMigratorPassword, &c.MigratorURL},
	}
}

// addPasswords completes the connection strings that have no password. The driver keeps them as strings, which cannot be wiped.
func (c *Config) addPasswords(snapshot *vault.Snapshot) {
	for _, l := range c.logins() {
		if secret, ok := snapshot.Secret(l.password); ok && *l.url != "" {
			raw := secret.Reveal()
			*l.url = withPassword(*l.url, l.role, string(raw))
			clear(raw)
		}
	}
}

// withPassword returns the connection string dsn, a URL or a keyword list, with the password unless it has one.
func withPassword(dsn, role, password string) string {
	if !strings.HasPrefix(dsn, "postgres://") && !strings.HasPrefix(dsn, "postgresql://") {
		quoted := strings.NewReplacer(`\`, `\\`, `'`, `\'`).Replace(password)
		return "password='" + quoted + "' " + dsn // the last one of a keyword wins
	}
	u, err := url.Parse(dsn)
	if err != nil {
		return dsn // refused where it is used
	}
	if own, _ := u.User.Password(); own != "" || u.Query().Get("password") != "" {
		return dsn
	}
	u.User = url.UserPassword(cmp.Or(u.User.Username(), role), password)
	return u.String()
}
