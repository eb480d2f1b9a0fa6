package abac

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"
)

// The JSON form of a condition is an object with exactly one member:
//
//	{"tenant": "same"}                      or "within"
//	{"mfa": {"level": "multi_factor", "max_age_seconds": 300}}
//	{"time": {"days": ["mon","tue"], "from": "08:00", "to": "18:00", "zone": "Europe/Berlin"}}
//	{"network": ["10.0.0.0/8", "2001:db8::/32"]}
//	{"device": {"max_age_seconds": 86400, "shows": ["managed", "disk_encrypted"]}}
//	{"label": "dominates"}
//	{"dual_control": {"max_age_seconds": 900}}
//
// Members that are not given have no default but the absence of the demand.
type wireCondition struct {
	Device      *wireDevice `json:"device,omitempty"`
	DualControl *wireAge    `json:"dual_control,omitempty"`
	Label       string      `json:"label,omitempty"`
	MFA         *wireMFA    `json:"mfa,omitempty"`
	Network     []string    `json:"network,omitempty"`
	Tenant      string      `json:"tenant,omitempty"`
	Time        *wireWindow `json:"time,omitempty"`
}

type wireAge struct {
	MaxAge int64 `json:"max_age_seconds,omitempty"`
}

type wireMFA struct {
	Level string `json:"level,omitempty"`
	wireAge
}

type wireDevice struct {
	Shows []string `json:"shows"`
	wireAge
}

type wireWindow struct {
	Days []string `json:"days,omitempty"`
	From string   `json:"from"`
	To   string   `json:"to"`
	Zone string   `json:"zone"`
}

var (
	levelNames   = []string{"single_factor", "multi_factor", "phishing_resistant"}
	postureNames = []string{"managed", "disk_encrypted", "firewall_on", "malware_protection", "screen_lock", "up_to_date"}
	dayNames     = []string{"sun", "mon", "tue", "wed", "thu", "fri", "sat"}
)

// String returns the level's name, such as "multi_factor".
func (l Level) String() string {
	if int(l) < len(levelNames) {
		return levelNames[l]
	}
	return "unknown"
}

// String returns the facts' names, separated by commas.
func (p Posture) String() string {
	var names []string
	for i, name := range postureNames {
		if p>>i&1 != 0 {
			names = append(names, name)
		}
	}
	return strings.Join(names, ",")
}

// String returns the condition's JSON form, or why it is not valid.
func (c Condition) String() string {
	text, err := c.MarshalJSON()
	if err != nil {
		return err.Error()
	}
	return string(text)
}

// MarshalJSON returns the canonical JSON form. A condition that is not valid, or whose age is not in whole seconds, is an
// error.
func (c Condition) MarshalJSON() ([]byte, error) {
	w, err := c.wire()
	if err != nil {
		return nil, err
	}
	return encodeCanonical(w)
}

func (c Condition) wire() (w wireCondition, err error) {
	if err := c.Err(); err != nil {
		return w, err
	}
	if c.maxAge%time.Second != 0 {
		return w, fmt.Errorf("abac: condition: age is not in whole seconds: %w", ErrFormat)
	}
	age := wireAge{int64(c.maxAge / time.Second)}
	switch c.kind {
	case sameTenant:
		w.Tenant = "same"
	case withinTenant:
		w.Tenant = "within"
	case mfa:
		w.MFA = &wireMFA{wireAge: age}
		if c.level > SingleFactor {
			w.MFA.Level = c.level.String()
		}
	case during:
		w.Time = c.window.form.wire()
	case from:
		for _, p := range c.networks {
			w.Network = append(w.Network, p.String())
		}
	case device:
		w.Device = &wireDevice{Shows: strings.Split(c.posture.String(), ","), wireAge: age}
	case cleared:
		w.Label = "dominates"
	case dualControl:
		w.DualControl = &age
	}
	return w, nil
}

func (w Window) wire() *wireWindow {
	clock := func(d time.Duration) string { return fmt.Sprintf("%02d:%02d", d/time.Hour, d%time.Hour/time.Minute) }
	out := &wireWindow{From: clock(w.From), To: clock(w.To), Zone: w.Zone}
	for _, day := range w.Days {
		out.Days = append(out.Days, dayNames[day])
	}
	return out
}

// UnmarshalJSON parses the JSON form. It is strict: what the form does not know is an error that wraps [ErrFormat], since a
// condition that is left out opens what it was to close.
func (c *Condition) UnmarshalJSON(data []byte) error {
	var w wireCondition
	if _, err := decodeStrict(data, &w); err != nil {
		return err
	}
	parsed, err := w.condition()
	if err != nil {
		return err
	}
	*c = parsed
	return nil
}

func (w wireCondition) condition() (Condition, error) {
	var found []Condition
	var err error
	add := func(given bool, parse func() Condition) {
		if given {
			found = append(found, parse())
		}
	}
	add(w.Tenant == "same", SameTenant)
	add(w.Tenant == "within", WithinTenant)
	add(w.Label == "dominates", Cleared)
	add(w.MFA != nil, w.MFA.condition)
	add(w.Device != nil, w.Device.condition)
	add(w.DualControl != nil, func() Condition { return DualControl(w.DualControl.duration()) })
	add(w.Network != nil, func() Condition { return networks(w.Network) })
	add(w.Time != nil, w.Time.condition)
	if len(found) != 1 || w.given() != 1 {
		return Condition{}, fmt.Errorf("abac: condition: not exactly one known demand: %w", ErrFormat)
	}
	if err = found[0].Err(); err != nil {
		return Condition{}, fmt.Errorf("%w: %w", ErrFormat, err)
	}
	return found[0], nil
}

// given counts the members, known values or not.
func (w wireCondition) given() (n int) {
	for _, given := range []bool{
		w.Device != nil, w.DualControl != nil, w.Label != "", w.MFA != nil, w.Network != nil, w.Tenant != "", w.Time != nil,
	} {
		if given {
			n++
		}
	}
	return n
}

// maxSeconds is the longest age that is a time.Duration.
const maxSeconds = int64(1<<63-1) / int64(time.Second)

// duration returns the age; one that is out of range is negative, which no condition accepts.
func (a wireAge) duration() time.Duration {
	if a.MaxAge < 0 || a.MaxAge > maxSeconds {
		return -1
	}
	return time.Duration(a.MaxAge) * time.Second
}

func (w *wireMFA) condition() Condition {
	level := 0
	if w.Level != "" { // single_factor is not stated
		level = slices.Index(levelNames, w.Level)
	}
	if level < 0 || w.Level == levelNames[0] {
		return Condition{kind: mfa, fault: "unknown level"}
	}
	return MFA(Level(level), w.duration())
}

func (w *wireDevice) condition() Condition {
	var p Posture
	for _, name := range w.Shows {
		i := slices.Index(postureNames, name)
		if i < 0 || Posture(1)<<i <= p {
			return Condition{kind: device, fault: "unknown facts, or not in their order"}
		}
		p |= 1 << i
	}
	return Device(p, w.duration())
}

func networks(texts []string) Condition {
	prefixes := make([]netip.Prefix, len(texts))
	for i, text := range texts {
		p, err := netip.ParsePrefix(text)
		if err != nil {
			return Condition{kind: from, fault: "malformed network"}
		}
		prefixes[i] = p
	}
	c := From(prefixes...)
	for i, p := range c.networks {
		if len(c.networks) != len(texts) || p.String() != texts[i] {
			return Condition{kind: from, fault: "networks in another form or order than the canonical one"}
		}
	}
	return c
}

func (w *wireWindow) condition() Condition {
	out := Window{Zone: w.Zone}
	for _, name := range w.Days {
		day := slices.Index(dayNames, name)
		if day < 0 || len(out.Days) > 0 && time.Weekday(day) <= out.Days[len(out.Days)-1] {
			return Condition{kind: during, fault: "unknown days, or not in their order, which begins with sun"}
		}
		out.Days = append(out.Days, time.Weekday(day))
	}
	var ok1, ok2 bool
	out.From, ok1 = parseClock(w.From)
	out.To, ok2 = parseClock(w.To)
	if !ok1 || !ok2 {
		return Condition{kind: during, fault: "a time that is not hh:mm"}
	}
	return During(out)
}

// parseClock parses "08:00" to "24:00".
func parseClock(text string) (time.Duration, bool) {
	if len(text) != 5 || text[2] != ':' {
		return 0, false
	}
	digits := [4]int{int(text[0] - '0'), int(text[1] - '0'), int(text[3] - '0'), int(text[4] - '0')}
	for _, d := range digits {
		if d > 9 {
			return 0, false
		}
	}
	hour, minute := digits[0]*10+digits[1], digits[2]*10+digits[3]
	return time.Duration(hour*60+minute) * time.Minute, hour*60+minute <= minutesPerDay && minute < 60
}
