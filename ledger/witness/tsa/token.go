package tsa

import (
	"bytes"
	"crypto"
	"crypto/rsa"
	"crypto/sha256"
	_ "crypto/sha512" // for crypto.Hash
	"crypto/subtle"
	"crypto/x509"
	encoding "encoding/asn1"
	"math/big"
	"time"

	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"
)

// Limits of a token.
const (
	MaxToken        = 64 << 10 // bytes
	maxCertificates = 16
	minRSA          = 2048 // bits
	maxRSA          = 8192 // bits, as crypto/tls has it: a longer modulus makes a check of one signature take seconds
)

// Stamp is what a token says once it has been checked.
type Stamp struct {
	Time     time.Time                 // the text existed by then, UTC
	Accuracy time.Duration             // how far Time may be off, zero if the authority does not say
	Policy   encoding.ObjectIdentifier // under which the authority works
	Serial   *big.Int                  // of the token
	Nonce    *big.Int                  // of the request, nil if it had none
	Signer   *x509.Certificate         // the authority's
}

// Check checks a DER TimeStampToken over the text of a checkpoint: its lines before the signatures, with the newline that
// ends them. The error wraps ErrMalformed, ErrMismatch or ErrUntrusted.
func Check(token, text []byte, roots *x509.CertPool) (*Stamp, error) {
	if roots == nil {
		return nil, untrusted("no roots") // a nil pool would mean the system's
	}
	t, err := parseToken(token)
	if err != nil {
		return nil, err
	}
	if sum := sha256.Sum256(text); subtle.ConstantTimeCompare(sum[:], t.imprint) != 1 {
		return nil, ErrMismatch
	}
	return t.verify(roots)
}

// token is a TimeStampToken taken apart; nothing of it is checked.
type token struct {
	stamp        Stamp
	imprint      []byte // SHA-256
	content      []byte // the DER of TSTInfo
	certificates []*x509.Certificate
	signer       signer
}

// signer is a SignerInfo.
type signer struct {
	issuer     []byte // DER name, with serial
	serial     *big.Int
	keyID      []byte // instead of both
	hash       crypto.Hash
	attributes []byte // what the signature covers: SET OF Attribute
	contentOK  bool   // the attribute contentType is there, once, and right
	digest     []byte // attribute messageDigest
	certHash   crypto.Hash
	certSum    []byte // attribute signingCertificateV2, the first
	algorithm  algorithm
	signature  []byte
}

func parseToken(der []byte) (*token, error) {
	if len(der) > MaxToken {
		return nil, malformed("token too large")
	}
	in := cryptobyte.String(der)
	var info, explicit, data, digests, content, octets cryptobyte.String
	var kind, inner encoding.ObjectIdentifier
	var version int
	ok := in.ReadASN1(&info, asn1.SEQUENCE) && in.Empty() &&
		info.ReadASN1ObjectIdentifier(&kind) && kind.Equal(oidSignedData) &&
		info.ReadASN1(&explicit, tag0) && info.Empty() &&
		explicit.ReadASN1(&data, asn1.SEQUENCE) && explicit.Empty() &&
		data.ReadASN1Integer(&version) && version == 3 && // RFC 5652 §5.1, since the content is not id-data
		data.ReadASN1(&digests, asn1.SET) &&
		data.ReadASN1(&content, asn1.SEQUENCE) &&
		content.ReadASN1ObjectIdentifier(&inner) && inner.Equal(oidTSTInfo) &&
		content.ReadASN1(&explicit, tag0) && content.Empty() &&
		explicit.ReadASN1(&octets, asn1.OCTET_STRING) && explicit.Empty()
	if !ok {
		return nil, malformed("not signed data over a TSTInfo")
	}
	for !digests.Empty() {
		if _, ok := readAlgorithm(&digests); !ok {
			return nil, malformed("digest algorithms")
		}
	}
	t := &token{content: octets}
	if !t.readContent(octets) {
		return nil, malformed("TSTInfo")
	}
	var certificates, signers cryptobyte.String
	var hasCertificates bool
	if !data.ReadOptionalASN1(&certificates, &hasCertificates, tag0) || !data.SkipOptionalASN1(tag1) ||
		!data.ReadASN1(&signers, asn1.SET) || !data.Empty() {
		return nil, malformed("signed data")
	}
	if !t.readCertificates(certificates) {
		return nil, malformed("certificates")
	}
	if !t.signer.read(&signers) || !signers.Empty() {
		return nil, malformed("not one signer with signed attributes")
	}
	return t, nil
}

// readContent reads a TSTInfo.
func (t *token) readContent(der cryptobyte.String) bool {
	var info, imprint, accuracy, skipped cryptobyte.String
	var version int
	var ordering, hasAccuracy, hasExtensions bool
	t.stamp.Serial = new(big.Int)
	if !der.ReadASN1(&info, asn1.SEQUENCE) || !der.Empty() ||
		!info.ReadASN1Integer(&version) || version != 1 ||
		!info.ReadASN1ObjectIdentifier(&t.stamp.Policy) ||
		!info.ReadASN1(&imprint, asn1.SEQUENCE) {
		return false
	}
	a, ok := readAlgorithm(&imprint)
	if !ok || a.hash() != crypto.SHA256 || !imprint.ReadASN1((*cryptobyte.String)(&t.imprint), asn1.OCTET_STRING) || !imprint.Empty() {
		return false
	}
	if !info.ReadASN1Integer(t.stamp.Serial) || t.stamp.Serial.Sign() < 0 || t.stamp.Serial.BitLen() > 160 {
		return false
	}
	if t.stamp.Time, ok = readTime(&info); !ok {
		return false
	}
	if !info.ReadOptionalASN1(&accuracy, &hasAccuracy, asn1.SEQUENCE) || hasAccuracy && !t.readAccuracy(accuracy) {
		return false
	}
	if info.PeekASN1Tag(asn1.BOOLEAN) && (!info.ReadASN1Boolean(&ordering) || !ordering) { // DER leaves the default out
		return false
	}
	if info.PeekASN1Tag(asn1.INTEGER) {
		t.stamp.Nonce = new(big.Int)
		if !info.ReadASN1Integer(t.stamp.Nonce) {
			return false
		}
	}
	return info.SkipOptionalASN1(tag0) && info.ReadOptionalASN1(&skipped, &hasExtensions, tag1) && noCritical(skipped, hasExtensions) && info.Empty()
}

// noCritical reports whether no extension of a TSTInfo has to be understood, since none is.
func noCritical(extensions cryptobyte.String, there bool) bool {
	for there && !extensions.Empty() {
		var one cryptobyte.String
		var oid encoding.ObjectIdentifier
		if !extensions.ReadASN1(&one, asn1.SEQUENCE) || !one.ReadASN1ObjectIdentifier(&oid) || one.PeekASN1Tag(asn1.BOOLEAN) ||
			!one.SkipASN1(asn1.OCTET_STRING) || !one.Empty() {
			return false
		}
	}
	return true
}

// readAccuracy reads seconds, milliseconds and microseconds.
func (t *token) readAccuracy(s cryptobyte.String) bool {
	var seconds, part int64
	if s.PeekASN1Tag(asn1.INTEGER) && (!s.ReadASN1Integer(&seconds) || seconds < 0 || seconds > 1<<31) {
		return false
	}
	total := time.Duration(seconds) * time.Second
	for i, unit := range []time.Duration{time.Millisecond, time.Microsecond} {
		tag := asn1.Tag(i).ContextSpecific()
		if !s.PeekASN1Tag(tag) {
			continue
		}
		if !s.ReadASN1Int64WithTag(&part, tag) || part < 1 || part > 999 {
			return false
		}
		total += time.Duration(part) * unit
	}
	t.stamp.Accuracy = total
	return s.Empty()
}

func (t *token) readCertificates(s cryptobyte.String) bool {
	for !s.Empty() {
		var der cryptobyte.String
		if !s.ReadASN1Element(&der, asn1.SEQUENCE) || len(t.certificates) == maxCertificates {
			return false
		}
		c, err := x509.ParseCertificate(der)
		if err != nil {
			return false
		}
		if key, ok := c.PublicKey.(*rsa.PublicKey); ok && key.N.BitLen() > maxRSA {
			return false
		}
		t.certificates = append(t.certificates, c)
	}
	return true
}

func (g *signer) read(s *cryptobyte.String) bool {
	var info, id, attributes cryptobyte.String
	var version int
	if !s.ReadASN1(&info, asn1.SEQUENCE) || !info.ReadASN1Integer(&version) {
		return false
	}
	switch keyID := asn1.Tag(0).ContextSpecific(); {
	case version == 1 && info.ReadASN1(&id, asn1.SEQUENCE):
		g.serial = new(big.Int)
		if !id.ReadASN1Element((*cryptobyte.String)(&g.issuer), asn1.SEQUENCE) || !id.ReadASN1Integer(g.serial) || !id.Empty() {
			return false
		}
	case version == 3 && info.PeekASN1Tag(keyID):
		if !info.ReadASN1((*cryptobyte.String)(&g.keyID), keyID) {
			return false
		}
	default:
		return false
	}
	a, ok := readAlgorithm(&info)
	if g.hash = a.hash(); !ok || g.hash == 0 || !info.ReadASN1Element(&attributes, tag0) {
		return false
	}
	// The signature covers the attributes as a SET, not under the tag they are sent with (RFC 5652 §5.4).
	g.attributes = append([]byte{byte(asn1.SET)}, attributes[1:]...)
	if !attributes.ReadASN1(&id, tag0) || !g.readAttributes(id) {
		return false
	}
	g.algorithm, ok = readAlgorithm(&info)
	return ok && info.ReadASN1((*cryptobyte.String)(&g.signature), asn1.OCTET_STRING) && info.SkipOptionalASN1(tag1) && info.Empty()
}

// readAttributes reads the three attributes that matter, each of which may be there once; the others are covered by the
// signature and mean nothing here.
func (g *signer) readAttributes(s cryptobyte.String) bool {
	seen := map[string]bool{}
	for !s.Empty() {
		var attribute, values, value cryptobyte.String
		var kind encoding.ObjectIdentifier
		if !s.ReadASN1(&attribute, asn1.SEQUENCE) || !attribute.ReadASN1ObjectIdentifier(&kind) ||
			!attribute.ReadASN1(&values, asn1.SET) || !attribute.Empty() || seen[kind.String()] {
			return false
		}
		seen[kind.String()] = true
		switch {
		case kind.Equal(oidContentType):
			var is encoding.ObjectIdentifier
			g.contentOK = values.ReadASN1ObjectIdentifier(&is) && is.Equal(oidTSTInfo) && values.Empty()
		case kind.Equal(oidMessageDigest):
			if !values.ReadASN1((*cryptobyte.String)(&g.digest), asn1.OCTET_STRING) || !values.Empty() {
				return false
			}
		case kind.Equal(oidSigningCertV2):
			if !values.ReadASN1(&value, asn1.SEQUENCE) || !values.Empty() || !g.readCertID(value) {
				return false
			}
		}
	}
	return true
}

// readCertID reads the first ESSCertIDv2: the signer's own certificate.
func (g *signer) readCertID(s cryptobyte.String) bool {
	var list, id cryptobyte.String
	if !s.ReadASN1(&list, asn1.SEQUENCE) || !list.ReadASN1(&id, asn1.SEQUENCE) {
		return false
	}
	g.certHash = crypto.SHA256 // the default
	if id.PeekASN1Tag(asn1.SEQUENCE) {
		a, ok := readAlgorithm(&id)
		if g.certHash = a.hash(); !ok || g.certHash == 0 {
			return false
		}
	}
	return id.ReadASN1((*cryptobyte.String)(&g.certSum), asn1.OCTET_STRING)
}

// verify checks the signer, its signature and its certificate.
func (t *token) verify(roots *x509.CertPool) (*Stamp, error) {
	c := t.signerCertificate()
	g := &t.signer
	switch {
	case c == nil:
		return nil, untrusted("the signer's certificate is not in the token")
	case !g.contentOK || !bytes.Equal(g.digest, digest(g.hash, t.content)):
		return nil, untrusted("signed attributes are not those of the content")
	case g.certHash == 0 || !bytes.Equal(g.certSum, digest(g.certHash, c.Raw)):
		return nil, untrusted("signed attributes do not name the signer's certificate")
	}
	algorithm := g.signatureAlgorithm()
	if key, ok := c.PublicKey.(*rsa.PublicKey); ok && key.N.BitLen() < minRSA {
		return nil, untrusted("RSA key too short")
	}
	if algorithm == x509.UnknownSignatureAlgorithm || c.CheckSignature(algorithm, g.attributes, g.signature) != nil {
		return nil, untrusted("signature does not verify")
	}
	if err := checkUsage(c); err != nil {
		return nil, err
	}
	intermediates := x509.NewCertPool()
	for _, other := range t.certificates {
		intermediates.AddCert(other)
	}
	if _, err := c.Verify(x509.VerifyOptions{Roots: roots, Intermediates: intermediates, CurrentTime: t.stamp.Time,
		KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageTimeStamping}}); err != nil {
		return nil, untrusted("no chain to a root at the time of the token")
	}
	t.stamp.Signer = c
	return &t.stamp, nil
}

func (t *token) signerCertificate() *x509.Certificate {
	for _, c := range t.certificates {
		g := &t.signer
		if g.keyID != nil && bytes.Equal(g.keyID, c.SubjectKeyId) ||
			g.keyID == nil && bytes.Equal(g.issuer, c.RawIssuer) && g.serial.Cmp(c.SerialNumber) == 0 {
			return c
		}
	}
	return nil
}

// signatureAlgorithm joins what the signer says about its signature; UnknownSignatureAlgorithm if the parts do not fit.
func (g *signer) signatureAlgorithm() x509.SignatureAlgorithm {
	type pair struct {
		oid  string
		hash crypto.Hash
	}
	a := g.algorithm
	if a.oid.Equal(oidRSAPSS) { // its parameters repeat the hash; a signature by others does not verify
		return map[crypto.Hash]x509.SignatureAlgorithm{crypto.SHA256: x509.SHA256WithRSAPSS, crypto.SHA384: x509.SHA384WithRSAPSS,
			crypto.SHA512: x509.SHA512WithRSAPSS}[g.hash]
	}
	if !a.plain() {
		return x509.UnknownSignatureAlgorithm
	}
	return map[pair]x509.SignatureAlgorithm{
		{oidRSA.String(), crypto.SHA256}: x509.SHA256WithRSA, {oidRSA256.String(), crypto.SHA256}: x509.SHA256WithRSA,
		{oidRSA.String(), crypto.SHA384}: x509.SHA384WithRSA, {oidRSA384.String(), crypto.SHA384}: x509.SHA384WithRSA,
		{oidRSA.String(), crypto.SHA512}: x509.SHA512WithRSA, {oidRSA512.String(), crypto.SHA512}: x509.SHA512WithRSA,
		{oidECDSA256.String(), crypto.SHA256}: x509.ECDSAWithSHA256, {oidECDSA384.String(), crypto.SHA384}: x509.ECDSAWithSHA384,
		{oidECDSA512.String(), crypto.SHA512}: x509.ECDSAWithSHA512, {oidEd25519.String(), crypto.SHA512}: x509.PureEd25519,
	}[pair{a.oid.String(), g.hash}]
}

// checkUsage asks for the extended key usage timeStamping, critical and alone (RFC 3161 §2.3), and a key that may sign.
func checkUsage(c *x509.Certificate) error {
	alone := len(c.ExtKeyUsage) == 1 && c.ExtKeyUsage[0] == x509.ExtKeyUsageTimeStamping && len(c.UnknownExtKeyUsage) == 0
	critical := false
	for _, e := range c.Extensions {
		critical = critical || e.Critical && e.Id.Equal(oidExtKeyUsage)
	}
	if !alone || !critical {
		return untrusted("certificate is not for time stamps alone")
	}
	if c.KeyUsage != 0 && c.KeyUsage&(x509.KeyUsageDigitalSignature|x509.KeyUsageContentCommitment) == 0 {
		return untrusted("certificate's key may not sign")
	}
	return nil
}
