package erasure

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Greatest values of a period's parts: a hundred years.
const (
	maxYears  = 100
	maxMonths = 1200
	maxDays   = 36525
	maxHours  = 876600
)

// Period is how long rows are kept, in calendar units: a month has as many days as it has. The zero Period means that time
// alone deletes nothing.
type Period struct {
	Years, Months, Days, Hours int
}

// ParsePeriod reads the ISO 8601 duration of whole years, months, weeks, days and hours: "P2Y", "P1Y6M", "P4W", "P90D",
// "PT36H". Each unit is given once, largest first; zero and signs are refused.
func ParsePeriod(text string) (Period, error) {
	var p Period
	bad := fmt.Errorf("%w: period is not of the form P1Y6M10DT12H", ErrInvalid)
	rest, ok := strings.CutPrefix(text, "P")
	if !ok || len(text) > 32 {
		return p, bad
	}
	date, clock, timed := strings.Cut(rest, "T")
	weeks := 0
	if !parts(date, "YMWD", &p.Years, &p.Months, &weeks, &p.Days) || !parts(clock, "H", &p.Hours) || timed && clock == "" {
		return Period{}, bad
	}
	p.Days += 7 * weeks
	if p.Zero() {
		return Period{}, bad
	}
	return p, p.check()
}

// parts reads numbers followed by the units in their order, each at most once.
func parts(text, units string, into ...*int) bool {
	next := 0
	for text != "" {
		digits := len(text) - len(strings.TrimLeft(text, "0123456789"))
		if digits == 0 || digits > 6 || digits == len(text) {
			return false
		}
		unit := strings.IndexByte(units[next:], text[digits])
		if unit < 0 {
			return false
		}
		n, err := strconv.Atoi(text[:digits])
		if err != nil || n == 0 {
			return false
		}
		*into[next+unit] = n
		next += unit + 1
		text = text[digits+1:]
	}
	return true
}

func (p Period) check() error {
	for _, part := range [][2]int{{p.Years, maxYears}, {p.Months, maxMonths}, {p.Days, maxDays}, {p.Hours, maxHours}} {
		if part[0] < 0 || part[0] > part[1] {
			return fmt.Errorf("%w: period is negative or longer than a hundred years", ErrInvalid)
		}
	}
	return nil
}

// Zero reports whether the period is the zero one.
func (p Period) Zero() bool { return p == Period{} }

// String returns the form ParsePeriod reads, and "" for the zero Period.
func (p Period) String() string {
	if p.Zero() {
		return ""
	}
	var b strings.Builder
	b.WriteByte('P')
	write := func(n int, unit byte) {
		if n != 0 {
			b.WriteString(strconv.Itoa(n))
			b.WriteByte(unit)
		}
	}
	write(p.Years, 'Y')
	write(p.Months, 'M')
	write(p.Days, 'D')
	if p.Hours != 0 {
		b.WriteByte('T')
		write(p.Hours, 'H')
	}
	return b.String()
}

// MarshalText writes the period as String does.
func (p Period) MarshalText() ([]byte, error) { return []byte(p.String()), nil }

// UnmarshalText reads what MarshalText writes.
func (p *Period) UnmarshalText(text []byte) (err error) {
	if len(text) == 0 {
		*p = Period{}
		return nil
	}
	*p, err = ParsePeriod(string(text))
	return err
}

// Before returns the instant one period before t, in UTC. A day that the month there does not have becomes its last one, so
// one month before the 31st of March is the last of February. What bears that instant or an earlier one has been kept for
// the whole period.
func (p Period) Before(t time.Time) time.Time {
	t = t.UTC()
	months := t.Year()*12 + int(t.Month()) - 1 - p.Years*12 - p.Months
	year, month := months/12, time.Month(months%12+1)
	last := time.Date(year, month+1, 0, 0, 0, 0, 0, time.UTC).Day()
	back := time.Date(year, month, min(t.Day(), last), t.Hour(), t.Minute(), t.Second(), t.Nanosecond(), time.UTC)
	return back.AddDate(0, 0, -p.Days).Add(-time.Duration(p.Hours) * time.Hour)
}

// longer compares two periods as seen from now.
func (p Period) longer(than Period, now time.Time) bool {
	return p.Before(now).Before(than.Before(now))
}
