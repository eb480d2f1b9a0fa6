// Command hash-passwords signs two users in: one with an Argon2id hash, one with an old bcrypt hash that is upgraded on the way.
package main

import (
	"context"
	"fmt"
	"io"
	"log"
	"os"

	"golang.org/x/crypto/bcrypt"

	"github.com/pioneerdesk/tomkit/authn/password"
)

func main() {
	if err := run(context.Background(), os.Stdout); err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context, out io.Writer) error {
	hasher, err := password.New(password.Config{}) // one per process: it owns the memory budget
	if err != nil {
		return err
	}
	fresh, err := hasher.Hash(ctx, "correct horse")
	if err != nil {
		return err
	}
	old, err := bcrypt.GenerateFromPassword([]byte("battery staple"), bcrypt.MinCost)
	if err != nil {
		return err
	}
	stored := map[string]string{"anna": fresh, "bert": string(old)}
	for _, attempt := range [][2]string{{"anna", "correct horse"}, {"anna", "wrong"}, {"bert", "battery staple"}, {"bert", "battery staple"}} {
		user, given := attempt[0], attempt[1]
		result, err := hasher.Verify(ctx, stored[user], given)
		if err != nil {
			fmt.Fprintf(out, "%s: refused\n", user)
			continue
		}
		if result.NeedsRehash { // in a database: replace by compare-and-swap on the old string
			if stored[user], err = hasher.Hash(ctx, given); err != nil {
				return err
			}
		}
		fmt.Fprintf(out, "%s: welcome, upgraded: %v\n", user, result.NeedsRehash)
	}
	return nil
}
