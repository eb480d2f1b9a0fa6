package witness_test

import (
	"context"
	"errors"
	"fmt"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/pioneerdesk/tomkit/ledger"
	"github.com/pioneerdesk/tomkit/ledger/ledgertest"
	"github.com/pioneerdesk/tomkit/ledger/sign"
	"github.com/pioneerdesk/tomkit/ledger/witness"
)

// A witness cosigns a log's checkpoints as long as each continues the one before. The database is then restored from a
// backup: the log is behind what the witness remembers.
func Example() {
	dir, _ := os.MkdirTemp("", "witness")
	defer os.RemoveAll(dir)
	var t testing.T                            // the example's log; a real one comes from ledger/pgledger
	log := ledgertest.NewAnchorLog(&t, 1, 100) // of 100 entries
	key, _ := sign.NewWitnessKey("witness.example/w1", strings.NewReader("32 bytes of crypto/rand are it..."))

	// The witness, on a machine of somebody else.
	_ = witness.CreateFileStore(filepath.Join(dir, "state"))
	store, _ := witness.OpenFileStore(filepath.Join(dir, "state"))
	defer store.Close()
	known, _ := witness.LogOfKeys(log.Keys)
	logs, _ := witness.Fixed(known)
	server, err := witness.NewServer(witness.ServerConfig{Keys: []*sign.WitnessKey{key}, Log: logs, Store: store})
	if err != nil {
		fmt.Println(err)
		return
	}
	listening := httptest.NewServer(server)
	defer listening.Close()

	// The log's side.
	anchor, err := witness.NewClient(witness.ClientConfig{
		Name: "w1", URL: listening.URL, Keys: []*sign.WitnessPublicKey{key.Public()}, Transport: witness.Direct(nil),
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	evidence, err := anchor.Submit(context.Background(), log.Submission(&t, 100))
	fmt.Println(strings.HasPrefix(string(evidence.Lines), "— witness.example/w1 "), err)

	_, err = anchor.Submit(context.Background(), log.Submission(&t, 60))
	fmt.Println(errors.Is(err, ledger.ErrRolledBack))
	fmt.Println(err)
	// Output:
	// true <nil>
	// true
	// ledger: the log is behind what an anchor remembers: w1 remembers 100 entries, the database holds 60
}
