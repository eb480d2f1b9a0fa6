package abac

import (
	"fmt"
	"time"
)

const (
	minutesPerDay  = 24 * 60
	minutesPerWeek = 7 * minutesPerDay
)

// Window is a span of the local day, on some days of the week.
type Window struct {
	// Zone is where the clock hangs, such as "Europe/Berlin" or "UTC". It is required; the machine's own zone is not
	// accepted, since it may change. A program that runs where there is no zone database imports time/tzdata.
	Zone string
	// Days are the days on which the window opens. Empty means every day.
	Days []time.Weekday
	// From and To are times of the day, since its midnight, in whole minutes; From is in, To is out. Where To is not after
	// From, the window closes on the next day. To may be 24h.
	From, To time.Duration
}

// During demands that the request is made while the clock on the wall in w.Zone shows a time in the window. It denies with
// [OutsideTimeWindow]. What counts is the clock: when summer time begins, the hour that is left out is in no window; when it
// ends, the hour that is repeated counts twice.
func During(w Window) Condition {
	c := Condition{kind: during}
	compiled, err := w.compile()
	if err != nil {
		c.fault = err.Error()
		return c
	}
	c.window = compiled
	return c
}

// window is a Window as a set of minutes of the week, Sunday 00:00 first.
type window struct {
	zone *time.Location
	open week
	form Window
}

type week [(minutesPerWeek + 63) / 64]uint64

func (w *week) has(minute int) bool { return w[minute>>6]>>(minute&63)&1 != 0 }

func (w *week) add(minute int) { w[minute>>6] |= 1 << (minute & 63) }

func (w Window) compile() (*window, error) {
	if w.Zone == "" || w.Zone == "Local" {
		return nil, fmt.Errorf("no zone")
	}
	zone, err := time.LoadLocation(w.Zone)
	if err != nil {
		return nil, fmt.Errorf("unknown zone")
	}
	first, last := int(w.From/time.Minute), int(w.To/time.Minute)
	whole := w.From%time.Minute == 0 && w.To%time.Minute == 0
	if !whole || first < 0 || first >= minutesPerDay || last < 0 || last > minutesPerDay || first == last {
		return nil, fmt.Errorf("times are whole minutes of a day, and differ")
	}
	if last < first {
		last += minutesPerDay
	}
	days, seen := w.Days, [7]bool{}
	if len(days) == 0 {
		days = []time.Weekday{0, 1, 2, 3, 4, 5, 6}
	}
	compiled := &window{zone: zone, form: Window{Zone: w.Zone, From: w.From, To: w.To}}
	for _, day := range days {
		if day < time.Sunday || day > time.Saturday || seen[day] {
			return nil, fmt.Errorf("unknown or repeated day")
		}
		seen[day] = true
		for m := first; m < last; m++ {
			compiled.open.add((int(day)*minutesPerDay + m) % minutesPerWeek)
		}
	}
	for day, opens := range seen {
		if opens && len(w.Days) > 0 {
			compiled.form.Days = append(compiled.form.Days, time.Weekday(day))
		}
	}
	return compiled, nil
}

// contains reports whether the clock in the window's zone shows a time in the window. The zero time is in none.
func (w *window) contains(now time.Time) bool {
	return !now.IsZero() && w.open.has(minuteOfWeek(now, w.zone))
}

func minuteOfWeek(now time.Time, zone *time.Location) int {
	local := now.In(zone)
	hour, minute, _ := local.Clock()
	return int(local.Weekday())*minutesPerDay + hour*60 + minute
}
