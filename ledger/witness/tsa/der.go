package tsa

import (
	"crypto"
	encoding "encoding/asn1"
	"time"

	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"
)

// Tags with a meaning of their own in a context.
var (
	tag0 = asn1.Tag(0).ContextSpecific().Constructed()
	tag1 = asn1.Tag(1).ContextSpecific().Constructed()
)

var (
	oidSignedData    = encoding.ObjectIdentifier{1, 2, 840, 113549, 1, 7, 2}
	oidTSTInfo       = encoding.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 16, 1, 4}
	oidContentType   = encoding.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 3}
	oidMessageDigest = encoding.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 4}
	oidSigningCertV2 = encoding.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 16, 2, 47}
	oidExtKeyUsage   = encoding.ObjectIdentifier{2, 5, 29, 37}
	oidSHA256        = encoding.ObjectIdentifier{2, 16, 840, 1, 101, 3, 4, 2, 1}
	oidSHA384        = encoding.ObjectIdentifier{2, 16, 840, 1, 101, 3, 4, 2, 2}
	oidSHA512        = encoding.ObjectIdentifier{2, 16, 840, 1, 101, 3, 4, 2, 3}
	oidRSA           = encoding.ObjectIdentifier{1, 2, 840, 113549, 1, 1, 1}
	oidRSAPSS        = encoding.ObjectIdentifier{1, 2, 840, 113549, 1, 1, 10}
	oidRSA256        = encoding.ObjectIdentifier{1, 2, 840, 113549, 1, 1, 11}
	oidRSA384        = encoding.ObjectIdentifier{1, 2, 840, 113549, 1, 1, 12}
	oidRSA512        = encoding.ObjectIdentifier{1, 2, 840, 113549, 1, 1, 13}
	oidECDSA256      = encoding.ObjectIdentifier{1, 2, 840, 10045, 4, 3, 2}
	oidECDSA384      = encoding.ObjectIdentifier{1, 2, 840, 10045, 4, 3, 3}
	oidECDSA512      = encoding.ObjectIdentifier{1, 2, 840, 10045, 4, 3, 4}
	oidEd25519       = encoding.ObjectIdentifier{1, 3, 101, 112}
)

// algorithm is an AlgorithmIdentifier.
type algorithm struct {
	oid    encoding.ObjectIdentifier
	params cryptobyte.String // nil if absent
}

func readAlgorithm(s *cryptobyte.String) (a algorithm, ok bool) {
	var seq cryptobyte.String
	ok = s.ReadASN1(&seq, asn1.SEQUENCE) && seq.ReadASN1ObjectIdentifier(&a.oid)
	if ok && !seq.Empty() {
		var tag asn1.Tag
		ok = seq.ReadAnyASN1Element(&a.params, &tag) && seq.Empty()
	}
	return a, ok
}

// plain reports whether the parameters are absent or NULL.
func (a algorithm) plain() bool { return a.params == nil || string(a.params) == "\x05\x00" }

// hash returns the SHA-2 function an identifier names, zero for any other.
func (a algorithm) hash() crypto.Hash {
	if !a.plain() {
		return 0
	}
	switch {
	case a.oid.Equal(oidSHA256):
		return crypto.SHA256
	case a.oid.Equal(oidSHA384):
		return crypto.SHA384
	case a.oid.Equal(oidSHA512):
		return crypto.SHA512
	}
	return 0
}

func digest(h crypto.Hash, b []byte) []byte {
	d := h.New()
	d.Write(b)
	return d.Sum(nil)
}

// readTime reads a GeneralizedTime as RFC 3161 §2.4.2 writes it: UTC, with a fraction that does not end in 0.
func readTime(s *cryptobyte.String) (t time.Time, ok bool) {
	var b cryptobyte.String
	if !s.ReadASN1(&b, asn1.GeneralizedTime) || len(b) > 32 {
		return t, false
	}
	t, err := time.Parse("20060102150405.999999999Z", string(b))
	return t, err == nil && t.Format("20060102150405.999999999Z") == string(b)
}
