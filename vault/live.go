package vault

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"
)

var (
	// ErrStale says that the secrets are older than LiveConfig.MaxAge: they could not be refreshed for so long.
	ErrStale = errors.New("vault: live: secrets are stale")
	// ErrClosed says that the Live is closed and its secrets are wiped.
	ErrClosed = errors.New("vault: live: closed")
)

// LiveConfig tunes a Live. Fetch is required.
type LiveConfig struct {
	// Fetch loads a new Snapshot, which the Live then owns. It must return all secrets or an error.
	Fetch func(context.Context) (*Snapshot, error)
	// Interval is the time between two refreshes of Run. Zero means 1 h; negative is an error.
	Interval time.Duration
	// MaxAge is how old the secrets may be for Ready to be content. Zero means 24 h; negative is an error.
	MaxAge time.Duration
	// OnChange is told after a refresh which keys appeared, changed or went, sorted, all of one refresh at once. The new
	// secrets are in force by then. Calls do not overlap; the next refresh waits for them. Nil means nobody is told.
	OnChange func(ctx context.Context, changed []Key)
	// OnRefresh is told of each refresh, also of a failed one, for counters and logs. Nil means nobody is told.
	OnRefresh func(took time.Duration, err error)
	// Now reports the current time. Nil means time.Now.
	Now func() time.Time
}

// Live keeps the secrets of a running program up to date. Readers see one whole Snapshot at a time, never a mixture; bytes of
// an old one are wiped when its last reader is done. A failed refresh keeps the old secrets. It is safe for concurrent use.
type Live struct {
	cfg     LiveConfig
	refresh sync.Mutex // one refresh at a time

	mu      sync.Mutex
	current *generation // nil once closed
	fetched time.Time   // when current was fetched
}

// generation is a Snapshot with the number of its readers. Live.mu guards both fields.
type generation struct {
	snapshot *Snapshot
	readers  int
	retired  bool
}

// NewLive returns a Live that starts with first, which it owns from then on.
func NewLive(first *Snapshot, cfg LiveConfig) (*Live, error) {
	if cfg.Interval < 0 || cfg.MaxAge < 0 || cfg.Fetch == nil || first == nil {
		return nil, errors.New("vault: live: no first snapshot, no Fetch, or a negative duration")
	}
	if cfg.Interval == 0 {
		cfg.Interval = time.Hour
	}
	if cfg.MaxAge == 0 {
		cfg.MaxAge = 24 * time.Hour
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	return &Live{cfg: cfg, current: &generation{snapshot: first}, fetched: cfg.Now()}, nil
}

// Use runs fn with the current secrets, which stay as they are until fn returns and may be wiped afterwards: fn keeps no
// Secret. It returns fn's error, or ErrClosed.
func (l *Live) Use(fn func(*Snapshot) error) error {
	l.mu.Lock()
	g := l.current
	if g == nil {
		l.mu.Unlock()
		return ErrClosed
	}
	g.readers++
	l.mu.Unlock()
	defer l.done(g)
	return fn(g.snapshot)
}

func (l *Live) done(g *generation) {
	l.mu.Lock()
	defer l.mu.Unlock()
	g.readers--
	g.wipeIfUnused()
}

// wipeIfUnused is called with Live.mu held.
func (g *generation) wipeIfUnused() {
	if g.retired && g.readers == 0 {
		g.snapshot.Wipe()
	}
}

// Refresh fetches the secrets anew and puts them in force, then returns the keys that changed, sorted. From then on every
// Use has the new ones. On an error the old ones stay.
func (l *Live) Refresh(ctx context.Context) ([]Key, error) {
	l.refresh.Lock()
	defer l.refresh.Unlock()
	start := l.cfg.Now()
	changed, err := l.swap(ctx)
	if l.cfg.OnRefresh != nil {
		l.cfg.OnRefresh(l.cfg.Now().Sub(start), err)
	}
	if err != nil {
		return nil, err
	}
	if len(changed) > 0 && l.cfg.OnChange != nil {
		l.cfg.OnChange(ctx, changed)
	}
	return changed, nil
}

func (l *Live) swap(ctx context.Context) ([]Key, error) {
	at := l.cfg.Now() // the secrets are at least as new as this
	next, err := l.cfg.Fetch(ctx)
	if err != nil {
		return nil, fmt.Errorf("vault: live: refresh: %w", err)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.current == nil {
		next.Wipe()
		return nil, ErrClosed
	}
	old := l.current
	changed := old.snapshot.changes(next)
	l.current, l.fetched = &generation{snapshot: next}, at
	old.retired = true
	old.wipeIfUnused()
	return changed, nil
}

// changes returns the keys whose values differ between s and next, sorted.
func (s *Snapshot) changes(next *Snapshot) []Key {
	var changed []Key
	for k, v := range s.secrets {
		if n, ok := next.Secret(k); !ok || !v.Equal(n) {
			changed = append(changed, k)
		}
	}
	for k := range next.secrets {
		if _, ok := s.secrets[k]; !ok {
			changed = append(changed, k)
		}
	}
	slices.Sort(changed)
	return changed
}

// Ready returns ErrStale if the secrets are older than MaxAge and ErrClosed after Close.
func (l *Live) Ready() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.current == nil {
		return ErrClosed
	}
	if l.cfg.Now().Sub(l.fetched) > l.cfg.MaxAge {
		return ErrStale
	}
	return nil
}

// Run refreshes every Interval until ctx is done and returns its error. Failures are for OnRefresh and Ready.
func (l *Live) Run(ctx context.Context) error {
	ticker := time.NewTicker(l.cfg.Interval)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-ticker.C:
			if _, err := l.Refresh(ctx); errors.Is(err, ErrClosed) {
				return err
			}
		}
	}
}

// Close wipes the secrets as soon as nobody uses them. Use and Ready return ErrClosed from then on.
func (l *Live) Close() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.current != nil {
		l.current.retired = true
		l.current.wipeIfUnused()
		l.current = nil
	}
}
