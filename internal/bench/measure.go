package main

import (
	"fmt"
	"io"
	"slices"
	"time"
)

// reporter takes measurements in turns and prints the comparison.
type reporter struct {
	out    io.Writer
	rounds int
}

// candidate is one side of a comparison.
type candidate struct {
	name string
	// op runs the operation n times.
	op func(n int) error
}

// target says what the ratio is to be: at most Max, or at least Min.
type target struct {
	max, min float64
}

func atMost(x float64) target  { return target{max: x} }
func atLeast(x float64) target { return target{min: x} }

const slack = 0.03 // a comparison within 3 % of its target is ok

// minRound is how long one side runs in one round.
const minRound = 200 * time.Millisecond

// cost compares the time per operation: the ratio is ours / peer for a target atMost, peer / ours for a target atLeast.
func (r *reporter) cost(name string, ours, peer candidate, want target) error {
	mine, theirs, err := r.turns(ours, peer)
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	ratio := float64(mine) / float64(theirs)
	if want.min > 0 {
		ratio = 1 / ratio
	}
	verdict, goal := want.judge(ratio)
	_, err = fmt.Fprintf(r.out, "bench: %s ours=%s peer=%s:%s ratio=%.2f target=%s %s\n", name, short(mine), peer.name, short(theirs), ratio, goal, verdict)
	return err
}

func (w target) judge(ratio float64) (verdict, goal string) {
	verdict = "short"
	if w.min > 0 {
		goal = fmt.Sprintf(">=%g", w.min)
		if ratio >= w.min*(1-slack) {
			verdict = "ok"
		}
		return verdict, goal
	}
	goal = fmt.Sprintf("<=%g", w.max)
	if ratio <= w.max*(1+slack) {
		verdict = "ok"
	}
	return verdict, goal
}

// turns returns the median time per operation in nanoseconds of both sides.
func (r *reporter) turns(ours, peer candidate) (mine, theirs float64, err error) {
	sides := []candidate{ours, peer}
	samples := make([][]float64, len(sides))
	counts := make([]int, len(sides))
	for i, side := range sides {
		if counts[i], err = calibrate(side.op); err != nil {
			return 0, 0, fmt.Errorf("%s: %w", side.name, err)
		}
	}
	for range r.rounds {
		for i, side := range sides {
			start := time.Now()
			if err := side.op(counts[i]); err != nil {
				return 0, 0, fmt.Errorf("%s: %w", side.name, err)
			}
			samples[i] = append(samples[i], float64(time.Since(start))/float64(counts[i]))
		}
	}
	return median(samples[0]), median(samples[1]), nil
}

// calibrate finds how many operations fill a round, and warms up on the way.
func calibrate(op func(int) error) (int, error) {
	for n := 1; ; {
		start := time.Now()
		if err := op(n); err != nil {
			return 0, err
		}
		took := time.Since(start)
		if took >= minRound {
			return n, nil
		}
		grow := 10.0
		if took > time.Millisecond {
			grow = min(10, 1.2*float64(minRound)/float64(took))
		}
		n = int(float64(n)*grow) + 1
	}
}

func median(xs []float64) float64 {
	xs = slices.Sorted(slices.Values(xs))
	mid := len(xs) / 2
	if len(xs)%2 == 1 {
		return xs[mid]
	}
	return (xs[mid-1] + xs[mid]) / 2
}

// short prints nanoseconds with three significant digits.
func short(ns float64) string {
	switch {
	case ns < 1e3:
		return fmt.Sprintf("%.3gns", ns)
	case ns < 1e6:
		return fmt.Sprintf("%.3gµs", ns/1e3)
	case ns < 1e9:
		return fmt.Sprintf("%.3gms", ns/1e6)
	}
	return fmt.Sprintf("%.3gs", ns/1e9)
}
