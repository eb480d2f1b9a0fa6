package password

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"fmt"
	"strings"

	"golang.org/x/crypto/argon2"
)

// Hasher hashes and verifies passwords. It is safe for concurrent use; one per process, since it owns the memory budget.
type Hasher struct {
	active  params
	pepper  string            // id of the active pepper, or empty
	peppers map[string][]byte // by id
	legacy  map[string]Legacy // by prefix
	budget  int64             // KiB
	limit   *limiter
	dummy   phc // a hash of the active profile that no password has
}

// Result tells what to do after a successful verification.
type Result struct {
	// NeedsRehash is set if the stored hash is of a legacy format, has a cost, salt or tag below the active profile, or
	// was not made with the active pepper. Hash the password again and replace the stored string by compare-and-swap.
	NeedsRehash bool
}

// New returns a Hasher, or an error naming the field of cfg that makes no sense.
func New(cfg Config) (*Hasher, error) {
	active, err := cfg.Profile.params()
	if err != nil {
		return nil, err
	}
	if err := cfg.fill(active); err != nil {
		return nil, err
	}
	peppers, pepper, err := cfg.peppers()
	if err != nil {
		return nil, err
	}
	legacy, err := legacies(cfg.Legacy)
	if err != nil {
		return nil, err
	}
	dummy := phc{params: active, pepper: pepper, salt: make([]byte, saltLen), tag: make([]byte, tagLen)}
	if _, err := rand.Read(dummy.tag); err != nil {
		return nil, fmt.Errorf("password: new: random source: %w", err)
	}
	return &Hasher{
		active: active, pepper: pepper, peppers: peppers, legacy: legacy,
		budget: cfg.MemoryKiB, limit: newLimiter(cfg), dummy: dummy,
	}, nil
}

// Hash returns password's PHC string under the active profile and pepper. It returns ErrLength, an OverloadError, or
// ctx's cancellation.
func (h *Hasher) Hash(ctx context.Context, password string) (string, error) {
	if !validLength(password) {
		return "", ErrLength
	}
	out := phc{params: h.active, pepper: h.pepper, salt: make([]byte, saltLen), tag: make([]byte, tagLen)}
	if _, err := rand.Read(out.salt); err != nil {
		return "", fmt.Errorf("password: hash: random source: %w", err)
	}
	tag, err := h.derive(ctx, out, password)
	if err != nil {
		return "", err
	}
	out.tag = tag
	return out.String(), nil
}

// Verify reports whether password is the one behind stored: nil, or ErrMismatch. Other errors mean that nothing was
// decided and the sign-in must fail: ErrFormat, ErrCost and ErrPepper (a stored hash that cannot be used here), an
// OverloadError, or ctx's cancellation.
func (h *Hasher) Verify(ctx context.Context, stored, password string) (Result, error) {
	if !validLength(password) {
		return Result{}, errVerifyLength
	}
	if strings.HasPrefix(stored, phcPrefix) {
		return h.verifyArgon2id(ctx, stored, password)
	}
	if len(stored) <= MaxStored {
		for prefix, l := range h.legacy {
			if strings.HasPrefix(stored, prefix) {
				return h.verifyLegacy(ctx, l, stored, password)
			}
		}
	}
	return Result{}, h.unusable(ctx, password, ErrFormat)
}

// VerifyDummy spends the work of verifying password under the active profile and always fails: with ErrMismatch, or as
// Verify does under overload. Call it where there is no user or no password to verify, so that time does not tell.
func (h *Hasher) VerifyDummy(ctx context.Context, password string) error {
	if !validLength(password) {
		return errVerifyLength
	}
	return h.unusable(ctx, password, ErrMismatch)
}

// unusable spends the work of a hash before it returns reason.
func (h *Hasher) unusable(ctx context.Context, password string, reason error) error {
	tag, err := h.derive(ctx, h.dummy, password)
	if err != nil {
		return err
	}
	if subtle.ConstantTimeCompare(tag, h.dummy.tag) == 1 {
		return ErrMismatch // one in 2^256; still nobody's password
	}
	return reason
}

func (h *Hasher) verifyArgon2id(ctx context.Context, stored, password string) (Result, error) {
	have, ok := parsePHC(stored)
	if !ok {
		return Result{}, h.unusable(ctx, password, ErrFormat)
	}
	if int64(have.memory) > h.budget {
		return Result{}, h.unusable(ctx, password, ErrCost)
	}
	if _, ok := h.peppers[have.pepper]; !ok && have.pepper != "" {
		return Result{}, h.unusable(ctx, password, ErrPepper)
	}
	tag, err := h.derive(ctx, have, password)
	if err != nil {
		return Result{}, err
	}
	if subtle.ConstantTimeCompare(tag, have.tag) != 1 {
		return Result{}, ErrMismatch
	}
	return Result{NeedsRehash: h.weaker(have)}, nil
}

// weaker reports whether a stored hash falls short of what Hash would make today.
func (h *Hasher) weaker(have phc) bool {
	return have.memory < h.active.memory || have.time < h.active.time || have.lanes < h.active.lanes ||
		len(have.salt) < saltLen || len(have.tag) < tagLen || have.pepper != h.pepper
}

func (h *Hasher) verifyLegacy(ctx context.Context, l Legacy, stored, password string) (Result, error) {
	release, err := h.limit.acquire(ctx, int64(h.active.memory))
	if err != nil {
		return Result{}, err
	}
	defer release()
	ok, err := l.Verify(stored, password)
	switch {
	case errors.Is(err, ErrFormat):
		return Result{}, ErrFormat
	case err != nil:
		return Result{}, fmt.Errorf("%w: legacy verifier: %w", ErrFormat, err)
	case !ok:
		return Result{}, ErrMismatch
	}
	return Result{NeedsRehash: true}, nil
}

// derive computes the Argon2id tag of password with like's costs, salt, pepper and tag length, within the budget.
func (h *Hasher) derive(ctx context.Context, like phc, password string) ([]byte, error) {
	release, err := h.limit.acquire(ctx, int64(like.memory))
	if err != nil {
		return nil, err
	}
	defer release()
	input := []byte(password)
	if like.pepper != "" {
		mac := hmac.New(sha256.New, h.peppers[like.pepper])
		mac.Write(input)
		clear(input)
		input = mac.Sum(nil)
	}
	defer clear(input)
	return argon2.IDKey(input, like.salt, like.time, like.memory, like.lanes, uint32(len(like.tag))), nil
}

func validLength(password string) bool { return len(password) >= 1 && len(password) <= MaxPassword }
