package main

import (
	"fmt"
	"io"
	"slices"
	"sync"
	"time"
)

// reporter takes measurements in turns and prints the comparison.
type reporter struct {
	out    io.Writer
	rounds int
	turn   time.Duration // how long one side runs in one round
}

// fine returns a reporter with many short turns instead of few long ones, for operations of microseconds: what else the
// machine does then meets both sides of most rounds alike.
func (r *reporter) fine() *reporter { return &reporter{r.out, 16 * r.rounds, r.turn / 20} }

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

// longTurn is how long one side runs in one round, unless the operation itself takes longer.
const longTurn = 200 * time.Millisecond

// cost compares the time per operation: the ratio is ours / peer for a target atMost and without target, peer / ours for a
// target atLeast.
func (r *reporter) cost(name string, ours, peer candidate, want target) error {
	mine, theirs, ratio, err := r.turns(ours, peer)
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	if want.min > 0 {
		ratio = 1 / ratio
	}
	verdict, goal := want.judge(ratio)
	_, err = fmt.Fprintf(r.out, "bench: %s ours=%s peer=%s:%s ratio=%.2f target=%s %s\n", name, short(mine), peer.name, short(theirs), ratio, goal, verdict)
	return err
}

// limit compares the median time of one operation with the time it may take.
func (r *reporter) limit(name string, op func() error, most time.Duration) error {
	samples := make([]float64, r.rounds)
	for i := range samples {
		start := time.Now()
		if err := op(); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		samples[i] = float64(time.Since(start))
	}
	return r.within(name, median(samples), float64(most), short)
}

// within compares a measurement with what it may be.
func (r *reporter) within(name string, have, most float64, text func(float64) string) error {
	verdict, goal := atMost(1).judge(have / most)
	_, err := fmt.Fprintf(r.out, "bench: %s ours=%s peer=limit:%s ratio=%.2f target=%s %s\n", name, text(have), text(most), have/most, goal, verdict)
	return err
}

// latencies compares the 99th percentile of an operation that many workers do at once with what it may be.
func (r *reporter) latencies(name string, workers int, op func() error, most time.Duration) error {
	var mu sync.Mutex
	var samples []float64
	timed := func() error {
		start := time.Now()
		err := op()
		took := float64(time.Since(start))
		mu.Lock()
		samples = append(samples, took)
		mu.Unlock()
		return err
	}
	n, err := r.calibrate(func(n int) error { return together(n, workers, timed) })
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	samples = nil
	if err := together(n*r.rounds, workers, timed); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	slices.Sort(samples)
	p99 := samples[len(samples)*99/100]
	ratio := p99 / float64(most)
	verdict, goal := atMost(1).judge(ratio)
	_, err = fmt.Fprintf(r.out, "bench: %s-p99(p50=%s) ours=%s peer=limit:%s ratio=%.2f target=%s %s\n",
		name, short(median(samples)), short(p99), short(float64(most)), ratio, goal, verdict)
	return err
}

func (w target) judge(ratio float64) (verdict, goal string) {
	if w == (target{}) {
		return "reported", "none"
	}
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

// turns returns the median time per operation in nanoseconds of both sides, and the median of the rounds' ratios.
func (r *reporter) turns(ours, peer candidate) (mine, theirs, ratio float64, err error) {
	sides := []candidate{ours, peer}
	samples := make([][]float64, len(sides))
	counts := make([]int, len(sides))
	for i, side := range sides {
		if counts[i], err = r.calibrate(side.op); err != nil {
			return 0, 0, 0, fmt.Errorf("%s: %w", side.name, err)
		}
	}
	ratios := make([]float64, r.rounds)
	for round := range r.rounds {
		for i, side := range sides {
			start := time.Now()
			if err := side.op(counts[i]); err != nil {
				return 0, 0, 0, fmt.Errorf("%s: %w", side.name, err)
			}
			samples[i] = append(samples[i], float64(time.Since(start))/float64(counts[i]))
		}
		ratios[round] = samples[0][round] / samples[1][round]
	}
	return median(samples[0]), median(samples[1]), median(ratios), nil
}

// calibrate finds how many operations fill a round, and warms up on the way.
func (r *reporter) calibrate(op func(int) error) (int, error) {
	for n := 1; ; {
		start := time.Now()
		if err := op(n); err != nil {
			return 0, err
		}
		took := time.Since(start)
		if took >= r.turn {
			return n, nil
		}
		grow := 10.0
		if took > time.Millisecond {
			grow = min(10, 1.2*float64(r.turn)/float64(took))
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
