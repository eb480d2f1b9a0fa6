// Command witness runs a witness beside a log, as a house of its own would, and shows what it is for: the log's operator
// writes its history anew, with the right keys, and gets no cosignature for it.
package main

import (
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"path/filepath"

	"github.com/pioneerdesk/tomkit/ledger"
	"github.com/pioneerdesk/tomkit/ledger/sign"
	"github.com/pioneerdesk/tomkit/ledger/verify"
	"github.com/pioneerdesk/tomkit/ledger/witness"
)

func main() {
	dir, err := os.MkdirTemp("", "witness-")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	if err := run(context.Background(), filepath.Join(dir, "state"), os.Stdout); err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context, dir string, out io.Writer) error {
	keys, signed, err := history("as it was")
	if err != nil {
		return err
	}
	url, public, err := serve(keys, dir)
	if err != nil {
		return err
	}
	anchor, err := witness.NewClient(witness.ClientConfig{ // in production: one of pgledger.Config.Anchors
		Name: "w1", URL: url, Keys: []*sign.WitnessPublicKey{public}, Transport: witness.Direct(nil),
	})
	if err != nil {
		return err
	}
	evidence, err := anchor.Submit(ctx, ledger.Submission{Checkpoint: signed})
	fmt.Fprintf(out, "cosigned: %t, %v\n", len(evidence.Lines) > 0, err)

	_, rewritten, err := history("as somebody wants it")
	if err != nil {
		return err
	}
	_, err = anchor.Submit(ctx, ledger.Submission{Checkpoint: rewritten})
	fmt.Fprintln(out, "rewritten:", err)
	return nil
}

// serve starts a witness for one log. tomkit-verify witness serve does the same with files.
func serve(log *verify.KeyHistory, dir string) (url string, public *sign.WitnessPublicKey, err error) {
	key, err := sign.NewMLDSA44WitnessKey("witness.example/w1", rand.Reader) // in production: kept
	if err != nil {
		return "", nil, err
	}
	if err := witness.CreateFileStore(dir); err != nil { // once in the witness's life
		return "", nil, err
	}
	store, err := witness.OpenFileStore(dir)
	if err != nil {
		return "", nil, err
	}
	known, err := witness.LogOfKeys(log)
	if err != nil {
		return "", nil, err
	}
	logs, err := witness.Fixed(known)
	if err != nil {
		return "", nil, err
	}
	server, err := witness.NewServer(witness.ServerConfig{Keys: []*sign.WitnessKey{key}, Log: logs, Store: store})
	if err != nil {
		return "", nil, err
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", nil, err
	}
	go http.Serve(listener, server)
	return "http://" + listener.Addr().String(), key.Public(), nil
}
