package erasure_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/pioneerdesk/tomkit/rls/erasure"
)

func TestParsePeriod(t *testing.T) {
	for text, want := range map[string]erasure.Period{
		"P2Y": {Years: 2}, "P1Y6M": {Years: 1, Months: 6}, "P4W": {Days: 28}, "P1W1D": {Days: 8}, "P90D": {Days: 90}, "PT36H": {Hours: 36},
		"P1Y2M3DT4H": {Years: 1, Months: 2, Days: 3, Hours: 4}, "P007D": {Days: 7},
	} {
		have, err := erasure.ParsePeriod(text)
		require.NoError(t, err, text)
		require.Equal(t, want, have, text)
	}
	for _, text := range []string{"", "P", "PT", "P0D", "P1D0M", "P1Y0M", "p1d", "P-1D", "P1.5D", "1D", "P1DT", "PT1M", "PT1S", "P1D1Y", "P1Y1Y", "P1",
		"P1D ", " P1D", "P1H", "P101Y", "P1201M", "P9999999D", "P1D;DROP", "P١D", "P1YT1HT1H", "P1Y2M3D4W"} {
		_, err := erasure.ParsePeriod(text)
		require.ErrorIs(t, err, erasure.ErrInvalid, text)
	}
}

func TestPeriodBefore(t *testing.T) {
	at := func(text string) time.Time {
		v, err := time.Parse(time.RFC3339Nano, text)
		require.NoError(t, err)
		return v
	}
	for _, c := range []struct{ from, period, want string }{
		{"2026-03-31T12:00:00Z", "P1M", "2026-02-28T12:00:00Z"},
		{"2024-03-31T12:00:00Z", "P1M", "2024-02-29T12:00:00Z"},
		{"2024-02-29T12:00:00Z", "P1Y", "2023-02-28T12:00:00Z"},
		{"2026-01-15T00:00:00Z", "P2M", "2025-11-15T00:00:00Z"},
		{"2026-01-01T00:00:00.000001Z", "P1D", "2025-12-31T00:00:00.000001Z"},
		{"2026-03-29T03:30:00+02:00", "P1D", "2026-03-28T01:30:00Z"}, // summer time began that night in Berlin: UTC knows none
		{"2026-03-01T00:00:00Z", "P1Y1M1DT1H", "2025-01-30T23:00:00Z"},
		{"2026-01-01T00:00:00Z", "P100Y", "1926-01-01T00:00:00Z"},
	} {
		require.Equal(t, at(c.want).UTC(), period2(c.period).Before(at(c.from)), c.period)
	}
}

func FuzzParsePeriod(f *testing.F) {
	for _, seed := range []string{"P1Y", "P1Y2M3DT4H", "PT36H", "P4W", "P0D", "P", "P1D1Y"} {
		f.Add(seed)
	}
	now := time.Date(2026, 3, 31, 12, 0, 0, 0, time.UTC)
	f.Fuzz(func(t *testing.T, text string) {
		p, err := erasure.ParsePeriod(text)
		if err != nil {
			return
		}
		if p.Zero() || !p.Before(now).Before(now) {
			t.Fatalf("%q does not lead back: %v", text, p)
		}
		again, err := erasure.ParsePeriod(p.String())
		if err != nil || again != p {
			t.Fatalf("%q becomes %q: %v %v", text, p, again, err)
		}
	})
}
