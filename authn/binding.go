package authn

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/binary"
)

// Binding is what ties a step token and a session to the browser that started the sign-in. It is a hash; the zero
// value is refused.
type Binding [sha256.Size]byte

// bindingTag separates these hashes from all others.
const bindingTag = "tomkit/authn/binding/v1"

// BindTo returns the binding for what the caller can observe again in the next request: a random nonce it set as a
// __Host- cookie before the first step, and, if wanted, the User-Agent. Use at least one part a stranger cannot guess.
func BindTo(parts ...string) Binding {
	h := sha256.New()
	h.Write([]byte(bindingTag))
	for _, p := range parts {
		h.Write(binary.BigEndian.AppendUint64(nil, uint64(len(p))))
		h.Write([]byte(p))
	}
	return Binding(h.Sum(nil))
}

func (b Binding) isZero() bool { return b == Binding{} }

// equal compares in constant time.
func (b Binding) equal(o Binding) bool { return subtle.ConstantTimeCompare(b[:], o[:]) == 1 }
