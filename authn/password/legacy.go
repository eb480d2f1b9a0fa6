package password

import (
	"errors"
	"fmt"
	"strings"

	"golang.org/x/crypto/bcrypt"
)

// Legacy verifies hashes of a foreign format, so that users of a migrated product keep their passwords. A right password
// always comes back as NeedsRehash. Implementations must be safe for concurrent use, compare in constant time and bound
// the work a stored string can order; they run under the hasher's memory budget, as one hash of the active profile.
type Legacy interface {
	// Prefix is what every stored string of the format starts with, for example "$trinity$". It is read once.
	Prefix() string
	// Verify reports whether password is the one behind stored. An error means that stored is unusable, and must not
	// quote it or the password.
	Verify(stored, password string) (bool, error)
}

// maxBcryptCost bounds the work of a stored bcrypt string: each step doubles it, and 14 takes about a second.
const maxBcryptCost = 14

// bcryptLegacy verifies bcrypt. Passwords over 72 bytes are accepted, since the algorithm always ignored the rest.
type bcryptLegacy struct{ prefix string }

func (b bcryptLegacy) Prefix() string { return b.prefix }

func (b bcryptLegacy) Verify(stored, password string) (bool, error) {
	const bcryptLen = 60 // "$2b$12$" + 22 characters salt + 31 characters hash
	cost, err := bcrypt.Cost([]byte(stored))
	if err != nil || len(stored) != bcryptLen || cost > maxBcryptCost {
		return false, ErrFormat
	}
	pw := []byte(password)
	if len(pw) > 72 {
		pw = pw[:72]
	}
	switch err := bcrypt.CompareHashAndPassword([]byte(stored), pw); {
	case err == nil:
		return true, nil
	case errors.Is(err, bcrypt.ErrMismatchedHashAndPassword):
		return false, nil
	}
	return false, ErrFormat
}

// legacies puts the built-in verifiers beside the configured ones and refuses prefixes that could answer for each other.
func legacies(extra []Legacy) (map[string]Legacy, error) {
	byPrefix := map[string]Legacy{}
	for _, p := range []string{"$2a$", "$2b$", "$2y$"} {
		byPrefix[p] = bcryptLegacy{p}
	}
	for _, l := range extra {
		if l == nil || l.Prefix() == "" {
			return nil, errors.New("password: new: legacy verifier without prefix")
		}
		p := l.Prefix()
		if overlap(p, phcPrefix) {
			return nil, fmt.Errorf("password: new: legacy prefix %q overlaps with Argon2id", p)
		}
		for have := range byPrefix {
			if overlap(p, have) {
				return nil, fmt.Errorf("password: new: legacy prefixes %q and %q overlap", p, have)
			}
		}
		byPrefix[p] = l
	}
	return byPrefix, nil
}

func overlap(a, b string) bool { return strings.HasPrefix(a, b) || strings.HasPrefix(b, a) }
