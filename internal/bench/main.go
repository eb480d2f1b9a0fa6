// Command bench measures tomkit beside its peers, in one run on one machine, and prints one line per comparison:
//
//	bench: NAME ours=… peer=NAME:… ratio=… target=… ok|short
//
// Every figure is the median of several rounds in which ours and the peer take turns, so that a machine that slows down slows
// both. A ratio is what counts; a comparison is ok within 3 % of its target. The command fails on errors and wrong answers only,
// never on a slow machine.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"strings"
)

// room is one part of the kit with its comparisons.
type room struct {
	name string
	run  func(ctx context.Context, r *reporter) error
}

var rooms = []room{
	{"rls", benchRLS},
	{"append", benchAppend},
	{"verify", benchVerify},
	{"token", benchToken},
	{"abac", benchABAC},
	{"vault", benchVault},
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	os.Exit(run(ctx, os.Args[1:], os.Stdout, os.Stderr))
}

func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	flags.SetOutput(stderr)
	name := flags.String("room", ".", "room to measure: rls, append, verify, token, abac, vault; ledger for append and verify; . for all")
	rounds := flags.Int("rounds", 5, "rounds per comparison; the median counts")
	if err := flags.Parse(args); err != nil {
		return 2
	}
	if *rounds < 5 {
		fmt.Fprintln(stderr, "bench: -rounds must be 5 or more")
		return 2
	}
	wanted := []string{*name}
	switch *name {
	case "scope": // what rooms were called
		wanted = []string{"rls"}
	case "decide":
		wanted = []string{"abac"}
	case "ledger":
		wanted = []string{"append", "verify"}
	}
	found := false
	for _, room := range rooms {
		if *name != "." && !slices.Contains(wanted, room.name) {
			continue
		}
		found = true
		fmt.Fprintf(stderr, "measuring %s …\n", room.name)
		if err := room.run(ctx, &reporter{out: stdout, rounds: *rounds, turn: longTurn}); err != nil {
			fmt.Fprintf(stderr, "bench: %s: %v\n", room.name, err)
			return 1
		}
	}
	if !found {
		var names []string
		for _, room := range rooms {
			names = append(names, room.name)
		}
		fmt.Fprintf(stderr, "bench: no room %q; there are %s\n", *name, strings.Join(names, ", "))
		return 2
	}
	return 0
}
