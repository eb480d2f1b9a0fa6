package abac

import (
	"net/netip"
	"slices"
	"time"

	"github.com/google/uuid"
)

// demand is a conjunction of conditions in normal form: one part for each fact that a request can bring along. The facts
// are independent of each other, so one demand implies another exactly if it cannot be met or implies it part by part.
type demand struct {
	tenant     kind // sameTenant, withinTenant or noKind, each stronger than the next
	level      Level
	authAge    time.Duration // zero: any
	posture    Posture
	postureAge time.Duration // zero: any
	cleared    bool
	dual       time.Duration // zero: none demanded
	networked  bool
	networks   []netip.Prefix // if networked: one of these
	zones      []zoned        // all of these
}

// zoned is a set of minutes of the week on the clock of one zone.
type zoned struct {
	name string
	zone *time.Location
	open week
}

func (d *demand) add(c *Condition) {
	switch c.kind {
	case sameTenant, withinTenant:
		if d.tenant == noKind || c.kind < d.tenant {
			d.tenant = c.kind
		}
	case mfa:
		d.level, d.authAge = max(d.level, c.level), sooner(d.authAge, c.maxAge)
	case device:
		d.posture, d.postureAge = d.posture|c.posture, sooner(d.postureAge, c.maxAge)
	case cleared:
		d.cleared = true
	case dualControl:
		d.dual = sooner(d.dual, c.maxAge)
	case from:
		d.meet(c.networks)
	case during:
		d.open(zoned{c.window.form.Zone, c.window.zone, c.window.open})
	}
}

// and returns the demand that both are met.
func (d demand) and(other demand) demand {
	d.zones = slices.Clone(d.zones)
	if other.tenant != noKind {
		d.add(&Condition{kind: other.tenant})
	}
	d.level, d.authAge = max(d.level, other.level), sooner(d.authAge, other.authAge)
	d.posture, d.postureAge = d.posture|other.posture, sooner(d.postureAge, other.postureAge)
	d.cleared = d.cleared || other.cleared
	d.dual = sooner(d.dual, other.dual)
	if other.networked {
		d.meet(other.networks)
	}
	for _, z := range other.zones {
		d.open(z)
	}
	return d
}

// sooner is the smaller of two ages, zero being none.
func sooner(a, b time.Duration) time.Duration {
	if a == 0 || b != 0 && b < a {
		return b
	}
	return a
}

func (d *demand) meet(networks []netip.Prefix) {
	if !d.networked {
		d.networked, d.networks = true, networks
		return
	}
	d.networks = intersect(d.networks, networks)
}

func (d *demand) open(z zoned) {
	for i := range d.zones {
		if d.zones[i].name == z.name {
			for w := range z.open {
				d.zones[i].open[w] &= z.open[w]
			}
			return
		}
	}
	d.zones = append(d.zones, z)
}

// witness looks for a case that meets the demand: No with the case, Yes if there is none.
func (d demand) witness(resource, action string) (*Case, Answer) {
	if d.networked && len(d.networks) == 0 {
		return nil, Yes
	}
	now, answer := d.instant(nil)
	if answer != No {
		return nil, answer
	}
	addr := netip.Addr{}
	if d.networked {
		addr = d.networks[0].Addr()
	}
	return d.barely(resource, action, now, addr), No
}

// beyond looks for a case that meets d and not other: No with the case, Yes if there is none.
func (d demand) beyond(other demand, resource, action string) (*Case, Answer) {
	found, answer := d.witness(resource, action)
	if answer != No {
		return nil, answer
	}
	if !d.impliesFacts(other) { // d is barely met, so that whatever asks for more is not
		return found, No
	}
	if other.networked {
		if addr, missing := uncovered(d.networks, d.networked, other.networks); missing {
			found.Request.Addr = addr
			return found, No
		}
	}
	verdict := Yes
	for i := range other.zones {
		now, answer := d.instant(&other.zones[i])
		if answer == No {
			return d.barely(resource, action, now, found.Request.Addr), No
		}
		if answer == Unknown {
			verdict = Unknown
		}
	}
	return nil, verdict
}

// impliesFacts compares the parts that are ordered.
func (d demand) impliesFacts(other demand) bool {
	covers := func(mine, theirs time.Duration) bool { return theirs == 0 || mine != 0 && mine <= theirs }
	return (other.tenant == noKind || d.tenant != noKind && d.tenant <= other.tenant) &&
		d.level >= other.level && covers(d.authAge, other.authAge) &&
		d.posture&other.posture == other.posture && covers(d.postureAge, other.postureAge) &&
		(d.cleared || !other.cleared) && covers(d.dual, other.dual)
}

// Whoever a case is about.
var (
	caseSubject  = uuid.MustParse("00000000-0000-4000-8000-000000000001")
	caseApprover = uuid.MustParse("00000000-0000-4000-8000-000000000002")
	caseTenant   = uuid.MustParse("00000000-0000-4000-8000-00000000000a")
	caseCustomer = uuid.MustParse("00000000-0000-4000-8000-00000000000b")
)

// clearsAll is a clearance for everything.
type clearsAll struct{}

// Clears reports true.
func (clearsAll) Clears(any) bool { return true }

// barely makes the case that meets the demand and nothing beyond it.
func (d demand) barely(resource, action string, now time.Time, addr netip.Addr) *Case {
	c := &Case{
		Permission: resource + ":" + action,
		Subject:    Subject{ID: caseSubject, Tenant: caseTenant, Level: d.level, Posture: d.posture},
		Request:    Request{Now: now, Addr: addr},
	}
	switch d.tenant {
	case sameTenant:
		c.Request.Tenant = caseTenant
	case withinTenant:
		c.Request.Tenant = caseCustomer
		c.Request.Hierarchy = &Tenants{map[uuid.UUID][]uuid.UUID{caseCustomer: {caseTenant}}}
	}
	if d.authAge > 0 {
		c.Subject.AuthTime = now.Add(-d.authAge)
	}
	if d.postureAge > 0 {
		c.Subject.PostureTime = now.Add(-d.postureAge)
	}
	if d.cleared {
		c.Subject.Clearance, c.Request.Label = clearsAll{}, "labelled"
	}
	if d.dual > 0 {
		second := &Subject{ID: caseApprover, Tenant: caseTenant, Level: d.level, Set: everything().Set}
		c.Request.Approval = &Approval{By: second, For: caseSubject, Permission: c.Permission, At: now.Add(-d.dual)}
	}
	return c
}

// epoch begins the year in which windows of several zones are compared minute by minute.
var epoch = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

// instant looks for a minute in all of d's windows and, if it is not nil, outside not: No with the minute, Yes if there is
// none. With windows of one zone the weeks decide, since every minute of the week comes in a year; with more, the clocks of one
// year may.
func (d demand) instant(not *zoned) (time.Time, Answer) {
	zones := d.zones
	if not != nil {
		for _, z := range zones {
			if z.name == not.name && z.open.within(&not.open) {
				return time.Time{}, Yes
			}
		}
		if not.open.full() {
			return time.Time{}, Yes
		}
	}
	for _, z := range zones {
		if z.open == (week{}) {
			return time.Time{}, Yes
		}
	}
	for now, last := epoch, epoch.AddDate(1, 0, 0); now.Before(last); now = now.Add(time.Minute) {
		holds := not == nil || !not.open.has(minuteOfWeek(now, not.zone))
		for i := 0; holds && i < len(zones); i++ {
			holds = zones[i].open.has(minuteOfWeek(now, zones[i].zone))
		}
		if holds {
			return now, No
		}
	}
	return time.Time{}, Unknown
}

// within reports whether w is a subset of other.
func (w *week) within(other *week) bool {
	for i := range w {
		if w[i]&^other[i] != 0 {
			return false
		}
	}
	return true
}

// full reports whether w holds every minute of the week.
func (w *week) full() bool {
	for m := range minutesPerWeek {
		if !w.has(m) {
			return false
		}
	}
	return true
}
