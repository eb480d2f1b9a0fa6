package sign_test

import (
	"crypto/rand"
	"fmt"

	"github.com/pioneerdesk/tomkit/ledger/sign"
)

func Example() {
	key, err := sign.NewCompositeKey(rand.Reader)
	if err != nil {
		panic(err)
	}
	entry := []byte("canonical bytes of an entry")
	sig, err := key.Sign(sign.ContextEntry, entry)
	if err != nil {
		panic(err)
	}
	fmt.Println(len(sig), "bytes")
	fmt.Println(key.Public().Verify(sign.ContextEntry, entry, sig))
	fmt.Println(key.Public().Verify(sign.ContextAgentPayload, entry, sig))
	// Output:
	// 3373 bytes
	// <nil>
	// sign: invalid signature
}
