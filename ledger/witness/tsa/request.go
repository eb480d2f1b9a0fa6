package tsa

import (
	"crypto/sha256"
	encoding "encoding/asn1"
	"math/big"

	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"
)

// makeRequest returns a DER TimeStampReq over the text (RFC 3161 §2.4.1).
func makeRequest(text []byte, policy encoding.ObjectIdentifier, nonce *big.Int) ([]byte, error) {
	sum := sha256.Sum256(text)
	var b cryptobyte.Builder
	b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddASN1Int64(1)
		b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
			b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
				b.AddASN1ObjectIdentifier(oidSHA256)
				b.AddASN1NULL()
			})
			b.AddASN1OctetString(sum[:])
		})
		if policy != nil {
			b.AddASN1ObjectIdentifier(policy)
		}
		b.AddASN1BigInt(nonce)
		b.AddASN1Boolean(true)
	})
	return b.Bytes()
}

// cutResponse returns the token of a TimeStampResp that grants one (RFC 3161 §2.4.2).
func cutResponse(der []byte) ([]byte, error) {
	in := cryptobyte.String(der)
	var response, info cryptobyte.String
	var status int
	if !in.ReadASN1(&response, asn1.SEQUENCE) || !in.Empty() || !response.ReadASN1(&info, asn1.SEQUENCE) || !info.ReadASN1Integer(&status) {
		return nil, malformed("response")
	}
	if !info.SkipOptionalASN1(asn1.SEQUENCE) || !info.SkipOptionalASN1(asn1.BIT_STRING) || !info.Empty() {
		return nil, malformed("response status")
	}
	if status != 0 && status != 1 { // granted, granted with modifications
		return nil, &StatusError{Status: status}
	}
	var token cryptobyte.String
	if !response.ReadASN1Element(&token, asn1.SEQUENCE) || !response.Empty() {
		return nil, malformed("response without a token")
	}
	return token, nil
}
