package tsa_test

import (
	"context"
	"crypto/x509"
	"encoding/asn1"
	"fmt"
	"net/http/httptest"
	"testing"

	"github.com/pioneerdesk/tomkit/ledger/ledgertest"
	"github.com/pioneerdesk/tomkit/ledger/witness"
	"github.com/pioneerdesk/tomkit/ledger/witness/tsa"
)

// A checkpoint is stamped, and the token checked again as an auditor would years later. The authority of the example is
// the tests' own; roots are those an operator pins.
func Example() {
	var t testing.T
	authority := newAuthority(&t, ecdsaKey(&t), oidECDSA256, nil)
	roots := x509.NewCertPool()
	roots.AddCert(authority.root)
	listening := httptest.NewServer(authority)
	defer listening.Close()

	anchor, err := tsa.New(tsa.Config{
		Name: "tsa", URL: listening.URL, Roots: roots, Transport: witness.Direct(nil), Policy: asn1.ObjectIdentifier{1, 2, 3, 4, 1},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	log := ledgertest.NewAnchorLog(&t, 1, 100)
	evidence, err := anchor.Submit(context.Background(), log.Submission(&t, 100))
	if err != nil {
		fmt.Println(err)
		return
	}
	stamp, err := tsa.Check(evidence.Token, textOf(log.Checkpoint(&t, 100)), roots)
	fmt.Println(stamp.Signer.Subject.CommonName, stamp.Time.Equal(authority.now), err)

	_, err = tsa.Check(evidence.Token, textOf(log.Checkpoint(&t, 99)), roots)
	fmt.Println(err)
	// Output:
	// authority true <nil>
	// tsa: token is over another text
}
