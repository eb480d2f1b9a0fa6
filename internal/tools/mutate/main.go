// Command mutate tells how much the tests of a package notice: it changes the package's code in one place at a time, as a
// programmer who errs would, and runs the tests, which have to fail.
//
//	go -C internal/tools run ./mutate -dir ../../abac -known ../../abac/testdata/mutants.txt policy.go set.go …
//
// All mutants are compiled into one test binary, where an environment variable chooses the one that is alive, so that a
// mutant costs a run of the tests and not a build. The changes are: comparisons to their neighbours and opposites, "and" and
// "or", negations, arithmetic and bit operations, true and false, conditions, and statements left out. Code that no test
// reaches is mutated as well.
//
// A mutant that no test can tell from the original is equivalent. Those are judged by hand: one a line in the file given
// with -known, with the reason behind " # "; a line that begins with "#" is a remark. The command prints what survived and
// fails if less than -least of the others were killed.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

type config struct {
	dir     string
	files   []string
	known   string
	least   float64
	workers int
	limit   time.Duration
	match   string // mutants to try
	late    string // tests that take long, for mutants that survive the others
	never   string // tests that take too long
	args    []string
}

func main() {
	var c config
	var args string
	flag.StringVar(&c.dir, "dir", ".", "directory of the package")
	flag.StringVar(&c.known, "known", "", "file of equivalent mutants")
	flag.Float64Var(&c.least, "least", 95, "least share of mutants killed, in per cent")
	flag.IntVar(&c.workers, "workers", 2, "tests run at a time")
	flag.DurationVar(&c.limit, "limit", time.Minute, "time for the tests of one mutant; one that takes longer is killed")
	flag.StringVar(&c.late, "late", "^$", "tests that only mutants have to face which the others let live")
	flag.StringVar(&c.never, "never", "^$", "tests that no mutant has to face")
	flag.StringVar(&c.match, "match", "", "try only mutants whose names match this expression")
	flag.StringVar(&args, "args", "", "further arguments of the test binary")
	flag.Parse()
	c.files, c.args = flag.Args(), strings.Fields(args)
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, c); err != nil {
		fmt.Fprintln(os.Stderr, "mutate:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, c config) error {
	work, err := os.MkdirTemp("", "mutate")
	if err != nil {
		return err
	}
	defer os.RemoveAll(work)
	binary := filepath.Join(work, "mutants.test")
	mutants, err := build(ctx, c, work, binary)
	if err != nil {
		return err
	}
	chosen, err := regexp.Compile(c.match)
	if err != nil {
		return err
	}
	mutants = slices.DeleteFunc(mutants, func(m *mutant) bool { return !chosen.MatchString(m.String()) })
	patient := c
	patient.limit *= 10
	if out, err := try(ctx, patient, binary, 0, "", c.never); err != nil {
		return fmt.Errorf("the tests fail without a mutant: %w\n%s", err, out)
	}
	if err := judge(ctx, c, binary, mutants); err != nil {
		return err
	}
	return report(c, mutants)
}

// judge runs the tests against every mutant, the quick ones first.
func judge(ctx context.Context, c config, binary string, mutants []*mutant) error {
	queue := make(chan *mutant)
	var group sync.WaitGroup
	for range c.workers {
		group.Go(func() {
			for m := range queue {
				_, quick := try(ctx, c, binary, m.id, "", c.late+"|"+c.never)
				m.killed = quick != nil
				if !m.killed && c.late != "^$" {
					_, slow := try(ctx, c, binary, m.id, c.late, c.never)
					m.killed = slow != nil
				}
			}
		})
	}
	for i, m := range mutants {
		if i%100 == 0 {
			fmt.Fprintf(os.Stderr, "%d of %d mutants\n", i, len(mutants))
		}
		queue <- m
	}
	close(queue)
	group.Wait()
	return ctx.Err()
}

// try runs the tests with one mutant alive; 0 is none.
func try(ctx context.Context, c config, binary string, id int, only, but string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, c.limit)
	defer cancel()
	args := append([]string{"-test.failfast", "-test.run=" + only}, c.args...)
	if but != "" {
		args = append(args, "-test.skip="+but)
	}
	// A mutant may allocate without end: the shell bounds what it gets.
	cmd := exec.CommandContext(ctx, "sh", append([]string{"-c", `ulimit -v 6000000; exec "$0" "$@"`, binary}, args...)...)
	cmd.Dir = c.dir
	cmd.Env = append(os.Environ(), "TOMKIT_MUTANT="+strconv.Itoa(id))
	cmd.WaitDelay = time.Second
	return cmd.CombinedOutput()
}

func report(c config, mutants []*mutant) error {
	known, err := readKnown(c.known)
	if err != nil {
		return err
	}
	killed, equivalent := 0, 0
	var survivors, revived []string
	seen := map[string]bool{}
	for _, m := range mutants {
		name := m.String()
		seen[name] = true
		switch _, judged := known[name]; {
		case m.killed && judged:
			revived = append(revived, name)
			killed++
		case m.killed:
			killed++
		case judged:
			equivalent++
		default:
			survivors = append(survivors, fmt.Sprintf("%s (line %d)", name, m.line))
		}
	}
	slices.Sort(survivors)
	for _, name := range survivors {
		fmt.Println("survived:", name)
	}
	for _, name := range revived {
		fmt.Println("not equivalent:", name)
	}
	for name := range known {
		if !seen[name] && c.match == "" {
			fmt.Println("no longer there:", name)
		}
	}
	share := 100 * float64(killed) / float64(max(1, len(mutants)-equivalent))
	fmt.Printf("mutants=%d killed=%d equivalent=%d survived=%d score=%.1f%%\n", len(mutants), killed, equivalent, len(survivors), share)
	if share < c.least {
		return fmt.Errorf("%.1f %% killed, want %g %%", share, c.least)
	}
	return nil
}

func readKnown(path string) (map[string]string, error) {
	known := map[string]string{}
	if path == "" {
		return known, nil
	}
	text, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		return known, nil
	}
	for line := range strings.Lines(string(text)) {
		if strings.HasPrefix(line, "#") {
			continue
		}
		if name, why, found := strings.Cut(strings.TrimSpace(line), " # "); found {
			known[strings.TrimSpace(name)] = why
		}
	}
	return known, err
}
