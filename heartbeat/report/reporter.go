package report

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"sync"
	"time"

	"github.com/pioneerdesk/tomkit/heartbeat"
)

// Sampler measures this machine, as collect.Collector does.
type Sampler interface {
	Sample(ctx context.Context) (heartbeat.Sample, error)
}

// Reporter delivers samples. It is safe for concurrent use; concurrent calls take turns.
type Reporter struct {
	cfg     Config
	address string
	poster  poster

	mu        sync.Mutex
	pending   [][]byte // encoded, oldest first, at most cfg.Spill
	notBefore time.Time
	next      time.Duration // pause the server asked for; zero without one
}

// New returns a Reporter. It fails if cfg is incomplete or out of range; nothing is sent yet.
func New(cfg Config) (*Reporter, error) {
	cfg, err := cfg.withDefaults()
	if err != nil {
		return nil, err
	}
	if err := cfg.Credential.Check(heartbeat.TokenDevice); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrConfig, err)
	}
	address, err := cfg.endpoint("/v1/heartbeats")
	if err != nil {
		return nil, err
	}
	return &Reporter{cfg: cfg, address: address, poster: poster{cfg.client(), cfg.Now}}, nil
}

// Close closes idle connections.
func (r *Reporter) Close() { r.poster.client.CloseIdleConnections() }

// Pending returns the number of samples that wait to be delivered.
func (r *Reporter) Pending() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.pending)
}

// Send delivers s after those that wait already. On ErrUnavailable and on ctx's error, what was not delivered waits for
// the next call; on ErrRefused the refused samples are dropped and the rest was delivered; on ErrRevoked everything was
// dropped.
func (r *Reporter) Send(ctx context.Context, s heartbeat.Sample) error {
	body, err := s.Encode()
	if err != nil {
		return fmt.Errorf("report: send: %w", err)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.pending = append(r.pending, body)
	if over := len(r.pending) - r.cfg.Spill; over > 0 {
		r.pending = append(r.pending[:0:0], r.pending[over:]...) // the newest are worth most
	}
	return r.drain(ctx)
}

// maxBackoff bounds the first pause between two tries; six doublings later the pause grows no more.
const maxBackoff = time.Minute

// drain delivers what is pending, oldest first.
func (r *Reporter) drain(ctx context.Context) error {
	var refused error
	for len(r.pending) > 0 {
		err := r.deliver(ctx, r.pending[0])
		switch {
		case errors.Is(err, ErrRevoked):
			r.pending = nil
			return err
		case errors.Is(err, ErrRefused):
			refused = err
		case err != nil:
			return err
		}
		r.pending = r.pending[1:]
	}
	return refused
}

// deliver sends one sample, several times if need be.
func (r *Reporter) deliver(ctx context.Context, body []byte) error {
	var err error
	for n := range r.cfg.Attempts {
		if early := r.notBefore.Sub(r.cfg.Now()); early > 0 {
			return fmt.Errorf("%w: asked to come back in %s", ErrUnavailable, early.Round(time.Second))
		}
		if err = r.try(ctx, body); err == nil || !errors.Is(err, ErrUnavailable) || ctx.Err() != nil {
			return err
		}
		if errors.As(err, new(*tls.CertificateVerificationError)) {
			return err // a certificate does not get better by asking again at once
		}
		longest := min(r.cfg.Backoff, maxBackoff) << min(n, 6)
		pause := longest/2 + rand.N(longest/2+1)
		if e := (*AnswerError)(nil); errors.As(err, &e) && e.RetryAfter > 0 {
			if e.RetryAfter > 2*longest {
				r.notBefore = r.cfg.Now().Add(e.RetryAfter + rand.N(e.RetryAfter/10+1))
				return err // too long to hold up the next sample
			}
			pause = max(pause, e.RetryAfter)
		}
		if n < r.cfg.Attempts-1 {
			if werr := r.cfg.Wait(ctx, pause); werr != nil {
				return werr
			}
		}
	}
	return err
}

func (r *Reporter) try(ctx context.Context, body []byte) error {
	answer, err := r.poster.post(ctx, r.address, r.cfg.Credential, body, http.StatusAccepted)
	if err != nil {
		return err
	}
	accepted, err := heartbeat.ParseAccepted(answer)
	if err != nil {
		return fmt.Errorf("%w: answer: %w", ErrUnavailable, err)
	}
	r.next = time.Duration(accepted.NextSeconds) * time.Second
	return nil
}

// Run takes and delivers a sample, pauses, and begins again until ctx ends (nil) or the credential is not accepted any
// more (ErrRevoked). Everything else that goes wrong is passed to Config.Report.
func (r *Reporter) Run(ctx context.Context, s Sampler) error {
	defer r.Close()
	for {
		err := r.round(ctx, s)
		if ctx.Err() != nil {
			return nil
		}
		r.cfg.Report(err)
		if errors.Is(err, ErrRevoked) {
			return err
		}
		if r.cfg.Wait(ctx, r.pause()) != nil {
			return nil
		}
	}
}

func (r *Reporter) round(ctx context.Context, s Sampler) error {
	sample, err := s.Sample(ctx)
	if err != nil {
		return fmt.Errorf("report: sample: %w", err)
	}
	return r.Send(ctx, sample)
}

// pause returns the time to the next sample: the server's wish or the configured interval, a tenth more or less, so that
// a fleet started together spreads.
func (r *Reporter) pause() time.Duration {
	r.mu.Lock()
	defer r.mu.Unlock()
	d := r.cfg.Interval
	if r.next > 0 {
		d = r.next
	}
	d = d - d/10 + rand.N(d/5+1)
	return max(d, MinInterval)
}
