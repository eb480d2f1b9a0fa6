package survey

import "time"

// maxBins is the number of bins of a timeline; at least half of them are used once a log is older than a blink.
const maxBins = 256

// firstWidth is the width of a bin in microseconds before anything is merged.
const firstWidth = 1000

// Timeline counts entries in bins of equal time. When the time runs out of the last bin, bins are merged in pairs.
type Timeline struct {
	bins  [maxBins]Bin
	used  int
	start int64 // microseconds
	width int64 // microseconds; zero before the first entry
	first uint64
	total uint64
}

// Bin is a part of the timeline.
type Bin struct {
	Entries, Critical uint64
}

func (t *Timeline) add(seq uint64, micros int64, critical bool) {
	if t.width == 0 {
		t.start, t.width, t.first = micros, firstWidth, seq
	}
	for micros-t.start >= t.width*maxBins {
		t.merge()
	}
	// Time never goes back; where it does, that is a finding, and the entry is counted where it stands in the log.
	at := max(int((micros-t.start)/t.width), t.used-1, 0)
	t.used = at + 1
	t.bins[at].Entries++
	if critical {
		t.bins[at].Critical++
	}
	t.total++
}

func (t *Timeline) merge() {
	for i := range maxBins / 2 {
		a, b := t.bins[2*i], t.bins[2*i+1]
		t.bins[i] = Bin{a.Entries + b.Entries, a.Critical + b.Critical}
	}
	clear(t.bins[maxBins/2:])
	t.used = (t.used + 1) / 2
	t.width *= 2
}

// Bins returns the bins, the last of which is not empty.
func (t *Timeline) Bins() []Bin { return t.bins[:t.used] }

// At returns the time at a share of the timeline between 0 and 1.
func (t *Timeline) At(share float64) time.Time {
	return time.UnixMicro(t.start + int64(share*float64(t.width)*float64(t.used))).UTC()
}

// Width returns the time that a bin spans.
func (t *Timeline) Width() time.Duration { return time.Duration(t.width) * time.Microsecond }

// Share returns where a position of the log lies on the timeline, between 0 and 1: before and after it at its ends.
func (t *Timeline) Share(seq uint64) float64 {
	if seq < t.first || t.total == 0 {
		return 0
	}
	left := seq - t.first
	for i, b := range t.Bins() {
		if left < b.Entries {
			return (float64(i) + float64(left)/float64(b.Entries)) / float64(t.used)
		}
		left -= b.Entries
	}
	return 1
}
