package boot

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/pioneerdesk/tomkit/vault"
	"github.com/pioneerdesk/tomkit/vault/kv"
	"github.com/pioneerdesk/tomkit/vault/stackit"
	"github.com/pioneerdesk/tomkit/vault/wire"
)

// try goes through all steps with one user. Whatever happens, user and token are removed before it returns.
func (b *booting) try(ctx context.Context) (snapshot *vault.Snapshot, err error) {
	if err := b.step(ctx, StepAuthenticate, b.plane.Authenticate); err != nil {
		return nil, err
	}
	if err := b.sweep(ctx); err != nil {
		return nil, err
	}
	instance, err := b.instance(ctx)
	if err != nil {
		return nil, err
	}
	login := &login{booting: b, description: stackit.NewDescription(b.cfg.Now(), b.cfg.Host)}
	defer func() { // also while panicking
		if leftover := login.remove(ctx); leftover != nil {
			b.report.Leftover = fmt.Errorf("%w: %w", ErrLeftover, leftover)
			if !b.cfg.AllowLeftoverUnsafe {
				snapshot.Wipe()
				snapshot, err = nil, errors.Join(err, b.report.Leftover)
			}
		}
	}()
	return login.fetch(ctx, instance)
}

// sweep deletes what dead boots left, and waits where a user of a boot of this host is too young. That it fails is told and
// stops nothing: the boot itself will find out whether the plane works.
func (b *booting) sweep(ctx context.Context) error {
	var users []stackit.User
	_ = b.step(ctx, StepSweep, func(ctx context.Context) error {
		deleted, err := b.plane.Sweep(ctx, b.cfg.OrphanAge)
		b.report.Swept += len(deleted)
		if err == nil {
			users, err = b.plane.Users(ctx)
		}
		return err
	})
	if left := b.youngest(users); left > 0 && b.report.Tries == 1 {
		return b.wait(ctx, left)
	}
	return nil
}

// youngest returns how long it takes until no user of this host is younger than MinInterval. A time in the future is a
// clock's fault and nothing to wait for.
func (b *booting) youngest(users []stackit.User) (left time.Duration) {
	own := stackit.NewDescription(b.cfg.Now(), b.cfg.Host)
	for _, u := range users {
		d, ours := u.Boot()
		if age := own.At().Sub(d.At()); ours && d.SameHost(own) && age >= 0 {
			left = max(left, b.cfg.MinInterval-age)
		}
	}
	return left
}

func (b *booting) instance(ctx context.Context) (instance stackit.Instance, err error) {
	err = b.step(ctx, StepInstance, func(ctx context.Context) error {
		instance, err = b.plane.Instance(ctx)
		return err
	})
	return instance, err
}

// login is the user of one try.
type login struct {
	*booting
	description stackit.Description
	user        stackit.User
	uncertain   bool // the user may exist although its creation failed
	session     *kv.Session
}

func (l *login) fetch(ctx context.Context, instance stackit.Instance) (snapshot *vault.Snapshot, err error) {
	cfg := l.cfg.KV
	cfg.Address, cfg.Mount = instance.Address, instance.Mount
	client, err := kv.New(cfg)
	if err != nil {
		return nil, err
	}
	defer client.Close()
	if err := l.step(ctx, StepCreateUser, l.create); err != nil {
		return nil, err
	}
	if err := l.step(ctx, StepLogin, func(ctx context.Context) error { return l.open(ctx, client) }); err != nil {
		return nil, err
	}
	err = l.step(ctx, StepFetch, func(ctx context.Context) error {
		source := &source{session: l.session, locate: l.cfg.Locate}
		snapshot, err = l.cfg.Manifest.Load(ctx, source)
		l.report.Versions = source.versions(l.cfg.Manifest)
		return err
	})
	return snapshot, err
}

func (l *login) create(ctx context.Context) (err error) {
	l.created = l.cfg.Now()
	l.user, err = l.plane.CreateUser(ctx, l.description)
	l.uncertain = err != nil && !definite(err)
	return err
}

// definite reports whether an error means that nothing was made.
func definite(err error) bool {
	for _, class := range []error{wire.ErrAuth, wire.ErrPermission, wire.ErrRefused, wire.ErrNotFound, wire.ErrThrottled} {
		if errors.Is(err, class) {
			return true
		}
	}
	return false
}

// graceStep is the pause between two logins of a user that the Vault does not know yet.
const graceStep = 500 * time.Millisecond

func (l *login) open(ctx context.Context, client *kv.Client) (err error) {
	defer l.user.Password.Wipe()
	for until := l.cfg.Now().Add(l.cfg.LoginGrace); ; {
		l.session, err = client.Userpass(ctx, l.user.Username, l.user.Password)
		if !errors.Is(err, wire.ErrAuth) || !l.cfg.Now().Before(until) {
			return err
		}
		if err := l.cfg.Wait(ctx, graceStep); err != nil {
			return err
		}
	}
}

// source reads from a session what a manifest asks for.
type source struct {
	session *kv.Session
	locate  func(vault.Key) (path, field string)

	mu      sync.Mutex
	secrets map[vault.Key]vault.Secret
	numbers map[vault.Key]int64
	err     error
}

const parallelReads = 8

// Fetch implements vault.Source. The first error ends all reads.
func (s *source) Fetch(ctx context.Context, keys []vault.Key) (*vault.Snapshot, error) {
	s.secrets, s.numbers = map[vault.Key]vault.Secret{}, map[vault.Key]int64{}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var wg sync.WaitGroup
	slots := make(chan struct{}, parallelReads)
	for _, k := range keys {
		slots <- struct{}{}
		wg.Go(func() {
			defer func() { <-slots }()
			if err := s.read(ctx, k); err != nil {
				cancel()
			}
		})
	}
	wg.Wait()
	snapshot := vault.NewSnapshot(s.secrets)
	if s.err != nil {
		snapshot.Wipe()
		return nil, s.err
	}
	return snapshot, nil
}

// read takes one field. What is not there is for the manifest to judge.
func (s *source) read(ctx context.Context, k vault.Key) error {
	path, field := s.locate(k)
	entry, err := s.session.Read(ctx, path)
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case errors.Is(err, wire.ErrNotFound):
		return nil
	case err != nil:
		if s.err == nil {
			s.err = err
		}
		return err
	}
	defer entry.Wipe()
	if value, ok := entry.Field(field); ok {
		s.secrets[k] = vault.NewSecret(value.Reveal()) // other keys may share the entry, which is wiped
		s.numbers[k] = entry.Number
	}
	return nil
}

// versions returns the versions of what was read, in the manifest's order.
func (s *source) versions(m vault.Manifest) []Version {
	var out []Version
	for _, k := range m.Keys() {
		if n, ok := s.numbers[k]; ok {
			out = append(out, Version{k, n})
		}
	}
	return out
}
