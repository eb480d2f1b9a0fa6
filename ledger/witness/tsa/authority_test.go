package tsa_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	encoding "encoding/asn1"
	"encoding/pem"
	"io"
	"math/big"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"
)

var (
	oidSHA1          = encoding.ObjectIdentifier{1, 3, 14, 3, 2, 26}
	oidSHA256        = encoding.ObjectIdentifier{2, 16, 840, 1, 101, 3, 4, 2, 1}
	oidSHA512        = encoding.ObjectIdentifier{2, 16, 840, 1, 101, 3, 4, 2, 3}
	oidSignedData    = encoding.ObjectIdentifier{1, 2, 840, 113549, 1, 7, 2}
	oidData          = encoding.ObjectIdentifier{1, 2, 840, 113549, 1, 7, 1}
	oidTSTInfo       = encoding.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 16, 1, 4}
	oidContentType   = encoding.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 3}
	oidMessageDigest = encoding.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 4}
	oidSigningCertV1 = encoding.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 16, 2, 12}
	oidSigningCertV2 = encoding.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 16, 2, 47}
	oidECDSA256      = encoding.ObjectIdentifier{1, 2, 840, 10045, 4, 3, 2}
	oidRSA256        = encoding.ObjectIdentifier{1, 2, 840, 113549, 1, 1, 11}
	oidEd25519       = encoding.ObjectIdentifier{1, 3, 101, 112}
	oidEKU           = encoding.ObjectIdentifier{2, 5, 29, 37}
	oidTimeStamping  = encoding.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 3, 8}
	oidServerAuth    = encoding.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 3, 1}
	somePolicy       = encoding.ObjectIdentifier{1, 2, 3, 4, 1}
)

// authority is a time-stamping authority of a few lines. Its knobs make every token a checker must refuse.
type authority struct {
	key       crypto.Signer
	cert      *x509.Certificate
	roots     *x509.CertPool
	rootKey   crypto.Signer
	root      *x509.Certificate
	now       time.Time
	algorithm encoding.ObjectIdentifier

	// Knobs. The zero value is a good token.
	usage        []encoding.ObjectIdentifier // extended key usages of the certificate
	lenient      bool                        // the extension is not critical
	noCerts      bool
	status       int
	policy       encoding.ObjectIdentifier
	nonce        *big.Int // instead of the request's
	noNonce      bool
	imprint      []byte // instead of the request's
	imprintHash  encoding.ObjectIdentifier
	contentType  encoding.ObjectIdentifier // in the attributes
	innerType    encoding.ObjectIdentifier // of the content itself
	certAttr     encoding.ObjectIdentifier
	certSum      []byte
	digestAttr   []byte
	twice        bool // an attribute appears twice
	digestHash   encoding.ObjectIdentifier
	signers      int
	flip         bool
	noAttributes bool
	version      int64
	extension    bool // a critical one in the TSTInfo
}

func newAuthority(t testing.TB, key crypto.Signer, algorithm encoding.ObjectIdentifier, change func(*authority)) *authority {
	t.Helper()
	a := &authority{key: key, algorithm: algorithm, now: time.Now().UTC(), usage: []encoding.ObjectIdentifier{oidTimeStamping}, signers: 1, version: 1,
		policy: somePolicy, imprintHash: oidSHA256, contentType: oidTSTInfo, innerType: oidTSTInfo, certAttr: oidSigningCertV2, digestHash: oidSHA256}
	if algorithm.Equal(oidEd25519) {
		a.digestHash = oidSHA512
	}
	if change != nil {
		change(a)
	}
	var err error
	a.rootKey, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	a.root = a.issue(t, 1, "root", a.rootKey.Public(), nil, a.rootKey, true)
	a.cert = a.issue(t, 2, "authority", key.Public(), a.root, a.rootKey, false)
	a.roots = x509.NewCertPool()
	a.roots.AddCert(a.root)
	return a
}

func (a *authority) issue(t testing.TB, serial int64, name string, public any, parent *x509.Certificate, key crypto.Signer, ca bool) *x509.Certificate {
	t.Helper()
	template := &x509.Certificate{SerialNumber: big.NewInt(serial), Subject: pkix.Name{CommonName: name}, IsCA: ca, BasicConstraintsValid: true,
		NotBefore: a.now.Add(-time.Hour), NotAfter: a.now.Add(time.Hour), KeyUsage: x509.KeyUsageDigitalSignature}
	if ca {
		template.KeyUsage = x509.KeyUsageCertSign
	} else if a.usage != nil {
		value, err := encoding.Marshal(a.usage)
		require.NoError(t, err)
		template.ExtraExtensions = []pkix.Extension{{Id: oidEKU, Critical: !a.lenient, Value: value}}
	}
	if parent == nil {
		parent = template
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, public, key)
	require.NoError(t, err)
	cert, err := x509.ParseCertificate(der)
	require.NoError(t, err)
	return cert
}

func identifier(b *cryptobyte.Builder, oid encoding.ObjectIdentifier) {
	b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) { b.AddASN1ObjectIdentifier(oid) })
}

func sum(h encoding.ObjectIdentifier, b []byte) []byte {
	d := crypto.SHA256.New()
	if h.Equal(oidSHA512) {
		d = crypto.SHA512.New()
	}
	if h.Equal(oidSHA1) {
		d = crypto.SHA1.New()
	}
	d.Write(b)
	return d.Sum(nil)
}

// content is the TSTInfo.
func (a *authority) content(imprint []byte, nonce *big.Int) []byte {
	var b cryptobyte.Builder
	b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddASN1Int64(a.version)
		b.AddASN1ObjectIdentifier(a.policy)
		b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
			identifier(b, a.imprintHash)
			b.AddASN1OctetString(imprint)
		})
		b.AddASN1Int64(77)
		b.AddASN1(asn1.GeneralizedTime, func(b *cryptobyte.Builder) {
			b.AddBytes([]byte(a.now.Format("20060102150405.999999999Z")))
		})
		b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
			b.AddASN1Int64(1)
			b.AddASN1Int64WithTag(500, asn1.Tag(0).ContextSpecific())
		})
		if nonce != nil {
			b.AddASN1BigInt(nonce)
		}
		if a.extension {
			b.AddASN1(asn1.Tag(1).ContextSpecific().Constructed(), func(b *cryptobyte.Builder) {
				b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
					b.AddASN1ObjectIdentifier(somePolicy)
					b.AddASN1Boolean(true)
					b.AddASN1OctetString(nil)
				})
			})
		}
	})
	return b.BytesOrPanic()
}

// attributes are the signed ones, without their tag.
func (a *authority) attributes(content []byte) []byte {
	attribute := func(b *cryptobyte.Builder, oid encoding.ObjectIdentifier, value func(*cryptobyte.Builder)) {
		b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
			b.AddASN1ObjectIdentifier(oid)
			b.AddASN1(asn1.SET, value)
		})
	}
	digest, certSum := a.digestAttr, a.certSum
	if digest == nil {
		digest = sum(a.digestHash, content)
	}
	if certSum == nil {
		certSum = sum(oidSHA256, a.cert.Raw)
	}
	var b cryptobyte.Builder
	attribute(&b, oidContentType, func(b *cryptobyte.Builder) { b.AddASN1ObjectIdentifier(a.contentType) })
	for range map[bool]int{false: 1, true: 2}[a.twice] {
		attribute(&b, oidMessageDigest, func(b *cryptobyte.Builder) { b.AddASN1OctetString(digest) })
	}
	attribute(&b, a.certAttr, func(b *cryptobyte.Builder) {
		b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
			b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
				b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) { b.AddASN1OctetString(certSum) })
			})
		})
	})
	return b.BytesOrPanic()
}

func (a *authority) sign(attributes []byte) []byte {
	var b cryptobyte.Builder
	b.AddASN1(asn1.SET, func(b *cryptobyte.Builder) { b.AddBytes(attributes) })
	signed, opts, hash := b.BytesOrPanic(), crypto.SignerOpts(crypto.SHA256), []byte(nil)
	if _, ok := a.key.(ed25519.PrivateKey); ok {
		opts, hash = crypto.Hash(0), signed
	} else {
		s := sha256.Sum256(signed)
		hash = s[:]
	}
	sig, err := a.key.Sign(rand.Reader, hash, opts)
	if err != nil {
		panic(err)
	}
	if a.flip {
		sig[len(sig)-1] ^= 1
	}
	return sig
}

func (a *authority) token(imprint []byte, nonce *big.Int) []byte {
	tag0 := asn1.Tag(0).ContextSpecific().Constructed()
	content := a.content(imprint, nonce)
	attributes := a.attributes(content)
	sig := a.sign(attributes)
	var b cryptobyte.Builder
	b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddASN1ObjectIdentifier(oidSignedData)
		b.AddASN1(tag0, func(b *cryptobyte.Builder) {
			b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
				b.AddASN1Int64(3)
				b.AddASN1(asn1.SET, func(b *cryptobyte.Builder) { identifier(b, a.digestHash) })
				b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
					b.AddASN1ObjectIdentifier(a.innerType)
					b.AddASN1(tag0, func(b *cryptobyte.Builder) { b.AddASN1OctetString(content) })
				})
				if !a.noCerts {
					b.AddASN1(tag0, func(b *cryptobyte.Builder) { b.AddBytes(a.cert.Raw) })
				}
				b.AddASN1(asn1.SET, func(b *cryptobyte.Builder) {
					for range a.signers {
						b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
							b.AddASN1Int64(1)
							b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
								b.AddBytes(a.cert.RawIssuer)
								b.AddASN1BigInt(a.cert.SerialNumber)
							})
							identifier(b, a.digestHash)
							if !a.noAttributes {
								b.AddASN1(tag0, func(b *cryptobyte.Builder) { b.AddBytes(attributes) })
							}
							identifier(b, a.algorithm)
							b.AddASN1OctetString(sig)
						})
					}
				})
			})
		})
	})
	return b.BytesOrPanic()
}

// ServeHTTP answers a request as RFC 3161 §3.4 says.
func (a *authority) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	var request struct {
		Version int
		Imprint struct {
			Hash pkix.AlgorithmIdentifier
			Sum  []byte
		}
		Policy encoding.ObjectIdentifier `asn1:"optional"`
		Nonce  *big.Int                  `asn1:"optional"`
		Certs  bool                      `asn1:"optional"`
	}
	if rest, err := encoding.Unmarshal(body, &request); err != nil || len(rest) > 0 || !request.Certs || r.Header.Get("Content-Type") != "application/timestamp-query" {
		http.Error(w, "not a request", http.StatusBadRequest)
		return
	}
	imprint, nonce := request.Imprint.Sum, request.Nonce
	if a.imprint != nil {
		imprint = a.imprint
	}
	if a.nonce != nil || a.noNonce {
		nonce = a.nonce
	}
	var b cryptobyte.Builder
	b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) { b.AddASN1Int64(int64(a.status)) })
		if a.status < 2 {
			b.AddBytes(a.token(imprint, nonce))
		}
	})
	w.Header().Set("Content-Type", "application/timestamp-reply")
	w.Write(b.BytesOrPanic())
}

func ecdsaKey(t testing.TB) crypto.Signer {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	return key
}

func rsaKey(t testing.TB, bits int) crypto.Signer {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, bits)
	require.NoError(t, err)
	return key
}

func pemOf(c *x509.Certificate) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Raw})
}
