package abac

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"sync/atomic"
	"time"
)

// ErrRollback is wrapped by the refusal of a policy set that is older than one seen before, or differs from the one in force
// under the same version.
var ErrRollback = errors.New("policy set is not newer")

// LiveConfig tunes a [Live]. Universe, Verifier and Source are required.
type LiveConfig struct {
	// Universe holds the permissions the program asks for.
	Universe *Universe
	// Verifier checks signatures; Quorum is how many different keys have to sign. Zero means 1.
	Verifier Verifier
	Quorum   int
	// Source returns the signed policy set as it is now, such as [PolicyFile].
	Source func(context.Context) ([]byte, error)
	// Interval is the time between two looks at the source. Zero means 10s; negative is an error.
	Interval time.Duration
	// Floor is the highest version ever in force, as the program remembers it over restarts: an older set is refused even if
	// it is the first. Zero means any. Save what OnChange reports.
	Floor int64
	// OnChange is called with every set that comes into force, before anybody decides by it; an error keeps the old one.
	// Nil means nobody wants to know.
	OnChange func(*Policies) error
	// OnAlarm is called with every load that failed, also when it fails again. Nil means nobody wants to know.
	OnAlarm func(error)
	// Now reports the current time. Nil means time.Now.
	Now func() time.Time
}

// Live keeps the policies in force while the file with the signed policy set changes. A set that cannot be read, is not
// signed, is malformed, or is not newer changes nothing: the one before stays in force, [Live.State] says so, and the alarm
// is raised until a good one is there. It is safe for concurrent use.
type Live struct {
	cfg     LiveConfig
	current atomic.Pointer[Policies]

	mu    sync.Mutex // held while loading
	last  []byte     // what was loaded last
	state atomic.Pointer[LiveState]
}

// LiveState is what a [Live] knows about itself, for readiness and metrics.
type LiveState struct {
	Version  int64     // in force
	Loaded   time.Time // when it came into force
	Changes  uint64    // sets that came into force
	Failures uint64    // loads that failed, ever
	// Err is why the last load failed, nil if it did not; Failing is since when.
	Err     error
	Failing time.Time
}

// NewLive loads the policy set and returns a Live. It fails if there is none that may come into force: a program does not
// start without policies.
func NewLive(ctx context.Context, cfg LiveConfig) (*Live, error) {
	if cfg.Universe == nil || cfg.Verifier == nil || cfg.Source == nil || cfg.Interval < 0 || cfg.Quorum < 0 || cfg.Floor < 0 {
		return nil, fmt.Errorf("abac: live: Universe, Verifier or Source is missing, or a number is negative")
	}
	if cfg.Interval == 0 {
		cfg.Interval = 10 * time.Second
	}
	if cfg.Quorum == 0 {
		cfg.Quorum = 1
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	l := &Live{cfg: cfg}
	l.state.Store(&LiveState{})
	if err := l.Reload(ctx); err != nil {
		return nil, err
	}
	return l, nil
}

// Policies returns the policies in force. It takes a nanosecond and never returns nil.
func (l *Live) Policies() *Policies { return l.current.Load() }

// State returns what Live knows about itself.
func (l *Live) State() LiveState { return *l.state.Load() }

// Ready returns nil, or why the last load failed: policies are in force, but not those that somebody wanted.
func (l *Live) Ready() error {
	if s := l.State(); s.Err != nil {
		return fmt.Errorf("abac: live: version %d in force: %w", s.Version, s.Err)
	}
	return nil
}

// Run looks at the source every Interval until ctx ends, and returns nil then.
func (l *Live) Run(ctx context.Context) error {
	ticker := time.NewTicker(l.cfg.Interval)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
			_ = l.Reload(ctx) // it raises the alarm itself
		}
	}
}

// Reload looks at the source now. The error is nil if what is there is in force.
func (l *Live) Reload(ctx context.Context) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	envelope, err := l.cfg.Source(ctx)
	if err != nil {
		err = fmt.Errorf("abac: live: source: %w", err)
	} else if l.last == nil || !bytes.Equal(envelope, l.last) {
		err = l.load(envelope)
	}
	if ctx.Err() != nil && err != nil {
		return err // the program ends; nothing is wrong with the policies
	}
	l.note(err)
	return err
}

func (l *Live) load(envelope []byte) error {
	set, err := OpenPolicySet(envelope, l.cfg.Verifier, l.cfg.Quorum)
	if err != nil {
		return err
	}
	next, err := set.Compile(l.cfg.Universe)
	if err != nil {
		return err
	}
	now := l.current.Load()
	switch {
	case next.Version < l.cfg.Floor || now != nil && next.Version < now.Version:
		return fmt.Errorf("abac: live: version %d: %w", next.Version, ErrRollback)
	case now != nil && next.Version == now.Version && next.Digest != now.Digest:
		return fmt.Errorf("abac: live: version %d with another content: %w", next.Version, ErrRollback)
	case now == nil || next.Version > now.Version:
		if l.cfg.OnChange != nil {
			if err := l.cfg.OnChange(next); err != nil {
				return fmt.Errorf("abac: live: version %d: %w", next.Version, err)
			}
		}
		l.current.Store(next)
	}
	l.last = bytes.Clone(envelope)
	return nil
}

// note writes down how a load came out.
func (l *Live) note(err error) {
	s := l.State()
	if now := l.current.Load(); now != nil && now.Version != s.Version {
		s.Version, s.Loaded = now.Version, l.cfg.Now()
		s.Changes++
	}
	switch {
	case err == nil:
		s.Failing = time.Time{}
	default:
		s.Failures++
		if s.Err == nil {
			s.Failing = l.cfg.Now()
		}
	}
	s.Err = err
	l.state.Store(&s)
	if err != nil && l.cfg.OnAlarm != nil {
		l.cfg.OnAlarm(err)
	}
}

// PolicyFile returns a source for [LiveConfig] that reads a file whole. Replace the file by renaming: half of one does not
// verify, which raises an alarm.
func PolicyFile(path string) func(context.Context) ([]byte, error) {
	return func(context.Context) ([]byte, error) {
		f, err := os.Open(path)
		if err != nil {
			return nil, err
		}
		defer f.Close()
		data, err := io.ReadAll(io.LimitReader(f, MaxDocument+1))
		if err == nil && len(data) > MaxDocument {
			err = fmt.Errorf("more than %d bytes: %w", MaxDocument, ErrFormat)
		}
		return data, err
	}
}
