package password

import (
	"errors"
	"fmt"
	"runtime"
	"time"
)

// Limits of what is hashed.
const (
	// MaxPassword is the length in bytes of the longest password accepted. It keeps hashing input cheap to receive.
	MaxPassword = 1024
	// MaxStored is the length in bytes of the longest stored hash that is read.
	MaxStored = 512

	saltLen = 16 // bytes of a new salt (TOM 1.2.2: 128 bit)
	tagLen  = 32 // bytes of a new tag (TOM 1.2.2: 256 bit)

	defaultBudgetCap  = 512 << 10 // KiB
	defaultQueue      = 128
	defaultWait       = 5 * time.Second
	defaultRetryAfter = 2 * time.Second
)

// Profile is a set of Argon2id cost parameters.
type Profile int

// The profiles. There is no way to invent one: weaker parameters than these do not meet TOM 1.2.2.
const (
	// TOM6 is the document's profile: 64 MiB, 1 pass, 4 lanes.
	TOM6 Profile = iota
	// RFC9106 is the second recommended option of RFC 9106 section 4: 64 MiB, 3 passes, 4 lanes.
	RFC9106
	// OWASP is the minimum of the OWASP cheat sheet: 19 MiB, 2 passes, 1 lane.
	OWASP
)

// params are the cost parameters of one hash.
type params struct {
	memory uint32 // KiB
	time   uint32 // passes
	lanes  uint8
}

func (p Profile) params() (params, error) {
	switch p {
	case TOM6:
		return params{memory: 64 << 10, time: 1, lanes: 4}, nil
	case RFC9106:
		return params{memory: 64 << 10, time: 3, lanes: 4}, nil
	case OWASP:
		return params{memory: 19 << 10, time: 2, lanes: 1}, nil
	}
	return params{}, fmt.Errorf("password: new: unknown profile %d", p)
}

// Pepper is a secret key applied before Argon2id.
type Pepper struct {
	// ID is stored beside each hash: 1–8 characters of [A-Za-z0-9-] (the PHC format limits keyid to 8 bytes).
	ID string
	// Key is 32 to 64 random bytes, from the vault. New copies it.
	Key []byte
}

// Config tunes a Hasher. The zero value is the document's profile with a memory bound derived from the machine.
type Config struct {
	// Profile is used for new hashes and decides what needs a rehash. Zero means TOM6.
	Profile Profile
	// Pepper is applied to new hashes. Nil means none.
	Pepper *Pepper
	// OldPeppers are still needed to verify hashes made earlier.
	OldPeppers []Pepper
	// Legacy verifies foreign formats. bcrypt ($2a$, $2b$, $2y$) is built in.
	Legacy []Legacy
	// MemoryKiB bounds the Argon2id memory in use at once, in KiB. It must hold at least one hash of the profile.
	// Zero means one hash per GOMAXPROCS/lanes, at least one, at most 512 MiB. The process's peak is about twice this.
	MemoryKiB int64
	// MaxQueue is the number of callers that may wait for memory. Zero means 128.
	MaxQueue int
	// MaxWait is how long a caller waits for memory. Zero means 5s.
	MaxWait time.Duration
	// RetryAfter is the delay suggested to clients in an OverloadError. Zero means 2s.
	RetryAfter time.Duration
}

// fill replaces zero values by defaults and refuses what makes no sense.
func (c *Config) fill(p params) error {
	if c.MemoryKiB < 0 || c.MaxQueue < 0 || c.MaxWait < 0 || c.RetryAfter < 0 {
		return errors.New("password: new: negative limit")
	}
	if c.MemoryKiB == 0 {
		c.MemoryKiB = defaultBudget(p)
	}
	if c.MemoryKiB < int64(p.memory) {
		return fmt.Errorf("password: new: memory budget of %d KiB is below the profile's %d KiB", c.MemoryKiB, p.memory)
	}
	if c.MaxQueue == 0 {
		c.MaxQueue = defaultQueue
	}
	if c.MaxWait == 0 {
		c.MaxWait = defaultWait
	}
	if c.RetryAfter == 0 {
		c.RetryAfter = defaultRetryAfter
	}
	return nil
}

// defaultBudget gives every core a lane: more hashes at once than that only make each one slower.
func defaultBudget(p params) int64 {
	cores := runtime.GOMAXPROCS(0)
	slots := int64(max(1, cores/min(int(p.lanes), cores)))
	return max(int64(p.memory), min(slots*int64(p.memory), defaultBudgetCap))
}

// peppers indexes all peppers by id and returns the id of the active one.
func (c *Config) peppers() (map[string][]byte, string, error) {
	byID := make(map[string][]byte)
	all := c.OldPeppers
	active := ""
	if c.Pepper != nil {
		all = append([]Pepper{*c.Pepper}, all...)
		active = c.Pepper.ID
	}
	for _, p := range all {
		if !validPepperID(p.ID) {
			return nil, "", errors.New("password: new: pepper id is not 1-8 characters of [A-Za-z0-9-]")
		}
		if len(p.Key) < 32 || len(p.Key) > 64 {
			return nil, "", fmt.Errorf("password: new: pepper %q is not 32-64 bytes long", p.ID)
		}
		if _, twice := byID[p.ID]; twice {
			return nil, "", fmt.Errorf("password: new: pepper %q given twice", p.ID)
		}
		byID[p.ID] = append([]byte(nil), p.Key...)
	}
	return byID, active, nil
}

func validPepperID(id string) bool {
	if len(id) < 1 || len(id) > 8 {
		return false
	}
	for i := range len(id) {
		c := id[i]
		if (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && c != '-' {
			return false
		}
	}
	return true
}
