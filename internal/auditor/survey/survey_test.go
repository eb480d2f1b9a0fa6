package survey

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestTimelinesCountEveryEntryWhereverItLies(t *testing.T) {
	at := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC).UnixMicro()
	for _, step := range []int64{0, 1, 1000, 60_000_000, 86_400_000_000} {
		var line Timeline
		for i := range uint64(10_000) {
			line.add(i, at+int64(i)*step, i%10 == 0)
		}
		var sum Bin
		for _, b := range line.Bins() {
			sum.Entries += b.Entries
			sum.Critical += b.Critical
		}
		require.Equal(t, Bin{10_000, 1000}, sum)
		if step >= 1000 {
			require.GreaterOrEqual(t, len(line.Bins()), maxBins/2)
			require.InDelta(t, 0.5, line.Share(5000), 0.26)
		}
		require.Zero(t, line.Share(0))
		require.Equal(t, 1.0, line.Share(10_000))
		last := -1.0
		for i := range uint64(10_000) {
			s := line.Share(i)
			require.GreaterOrEqual(t, s, last)
			last = s
		}
		require.WithinDuration(t, time.UnixMicro(at), line.At(0), 0)
		require.False(t, line.At(1).Before(time.UnixMicro(at+9999*step)))
	}
}

func TestTimesThatLieDoNotBreakATimeline(t *testing.T) {
	var line Timeline
	for i := range uint64(100_000) {
		line.add(i, rand.Int64N(253402300799999999), false)
	}
	total := uint64(0)
	for _, b := range line.Bins() {
		total += b.Entries
	}
	require.Equal(t, uint64(100_000), total)
	var empty Timeline
	require.Empty(t, empty.Bins())
	require.Zero(t, empty.Share(7))
}
