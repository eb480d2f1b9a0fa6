package stackit

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"strings"
	"time"
)

// ErrForeign means a user that was not made by this package: its description is not a [Description].
var ErrForeign = errors.New("stackit: user was not made by a boot")

// Description marks the users of boots: onelog-boot-YYYYMMDD-HHMMSS-<host>-<random>, in UTC, as TOM 3.2 names them. The
// service gives users a name of its own and no time, so this text is all that a sweep can go by. It is comparable.
type Description struct {
	at    time.Time // UTC, whole seconds
	host  [4]byte   // the first bytes of the SHA-256 of the host's name
	nonce [8]byte   // random
}

const (
	descriptionPrefix = "onelog-boot-"
	descriptionTime   = "20060102-150405"
	descriptionLength = len(descriptionPrefix) + len(descriptionTime) + 1 + 8 + 1 + 16
)

// NewDescription returns a new Description for a boot of the named host. Two are never equal.
func NewDescription(at time.Time, host string) Description {
	d := Description{at: at.UTC().Truncate(time.Second)}
	sum := sha256.Sum256([]byte(host))
	copy(d.host[:], sum[:])
	_, _ = rand.Read(d.nonce[:]) // does not fail
	return d
}

// ParseDescription reads what String writes, and nothing else. The error is ErrForeign.
func ParseDescription(text string) (Description, error) {
	var d Description
	rest, ours := strings.CutPrefix(text, descriptionPrefix)
	if !ours || len(text) != descriptionLength {
		return d, ErrForeign
	}
	at, err := time.Parse(descriptionTime, rest[:len(descriptionTime)])
	if err != nil {
		return d, ErrForeign
	}
	rest = rest[len(descriptionTime):]
	d.at = at.UTC()
	_, hostErr := hex.Decode(d.host[:], []byte(rest[1:9]))
	_, nonceErr := hex.Decode(d.nonce[:], []byte(rest[10:]))
	if hostErr != nil || nonceErr != nil || d.String() != text { // also refuses upper case and other separators
		return Description{}, ErrForeign
	}
	return d, nil
}

// String returns the text form.
func (d Description) String() string {
	return descriptionPrefix + d.at.Format(descriptionTime) + "-" + hex.EncodeToString(d.host[:]) + "-" + hex.EncodeToString(d.nonce[:])
}

// At returns when the boot began, by the clock of its host.
func (d Description) At() time.Time { return d.at }

// SameHost reports whether both are of hosts of one name.
func (d Description) SameHost(other Description) bool { return d.host == other.host }
