package abac_test

import (
	"net/netip"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/pioneerdesk/tomkit/abac"
)

// holds decides about a permission that the policies allow, under one condition.
func holds(t testing.TB, c abac.Condition, sub abac.Subject, req abac.Request) abac.Reason {
	t.Helper()
	u := universe(t, "devices:read")
	sub.Set = compile(t, u, "*:*")
	need, err := u.Require("devices:read", c)
	require.NoError(t, err)
	d := need.Decide(&sub, req)
	require.Equal(t, d.Reason == abac.Allowed, d.Allowed)
	return d.Reason
}

func TestWithinTenant(t *testing.T) {
	operator, msp, clinic, other := uuid.New(), uuid.New(), uuid.New(), uuid.New()
	tree, err := abac.NewTenants(map[uuid.UUID]uuid.UUID{msp: operator, clinic: msp, other: operator})
	require.NoError(t, err)
	for name, tc := range map[string]struct {
		works, owns uuid.UUID
		want        abac.Reason
	}{
		"a provider reaches its customer":        {msp, clinic, abac.Allowed},
		"a provider reaches itself":              {msp, msp, abac.Allowed},
		"the operator reaches what lies deeper":  {operator, clinic, abac.Allowed},
		"a customer does not reach its provider": {clinic, msp, abac.TenantMismatch},
		"a provider reaches no one else's":       {other, clinic, abac.TenantMismatch},
		"nobody reaches the zero tenant":         {operator, uuid.Nil, abac.TenantMismatch},
		"the zero tenant reaches nobody":         {uuid.Nil, clinic, abac.TenantMismatch},
		"nor itself":                             {uuid.Nil, uuid.Nil, abac.TenantMismatch},
		"an unknown tenant reaches itself":       {clinic, clinic, abac.Allowed},
	} {
		t.Run(name, func(t *testing.T) {
			sub, req := abac.Subject{Tenant: tc.works}, abac.Request{Tenant: tc.owns, Hierarchy: tree}
			require.Equal(t, tc.want, holds(t, abac.WithinTenant(), sub, req))
			req.Hierarchy = nil
			same := tc.works == tc.owns && tc.works != uuid.Nil
			require.Equal(t, same, holds(t, abac.WithinTenant(), sub, req) == abac.Allowed, "without a hierarchy")
			req.Hierarchy = (*abac.Tenants)(nil)
			require.Equal(t, same, holds(t, abac.WithinTenant(), sub, req) == abac.Allowed, "with an empty hierarchy")
			req.Hierarchy = tree
			require.Equal(t, same, holds(t, abac.SameTenant(), sub, req) == abac.Allowed, "the strict form")
		})
	}
	t.Run("no hierarchy is asked about the zero tenant", func(t *testing.T) {
		sub, req := abac.Subject{Tenant: msp}, abac.Request{Hierarchy: anything{}}
		require.Equal(t, abac.TenantMismatch, holds(t, abac.WithinTenant(), sub, req))
		sub, req = abac.Subject{}, abac.Request{Tenant: msp, Hierarchy: anything{}}
		require.Equal(t, abac.TenantMismatch, holds(t, abac.WithinTenant(), sub, req))
	})
	t.Run("a circle, the zero id and a tower are refused", func(t *testing.T) {
		a, b := uuid.New(), uuid.New()
		tower := map[uuid.UUID]uuid.UUID{}
		for range 7 {
			next := uuid.New()
			tower[a] = next
			a = next
		}
		for _, parent := range []map[uuid.UUID]uuid.UUID{{a: a}, {a: b, b: a}, {a: uuid.Nil}, {uuid.Nil: a}, tower} {
			_, err := abac.NewTenants(parent)
			require.Error(t, err)
		}
		delete(tower, a)
		for first := range tower {
			delete(tower, first)
			break
		}
		_, err := abac.NewTenants(tower)
		require.NoError(t, err)
	})
}

// anything is a hierarchy in which everybody lies below everybody.
type anything struct{}

func (anything) Within(_, _ uuid.UUID) bool { return true }

func at(t testing.TB, zone, text string) time.Time {
	t.Helper()
	location, err := time.LoadLocation(zone)
	require.NoError(t, err)
	parsed, err := time.ParseInLocation("2006-01-02 15:04:05", text, location)
	require.NoError(t, err)
	return parsed
}

func TestDuring(t *testing.T) {
	weekdays := []time.Weekday{time.Monday, time.Tuesday, time.Wednesday, time.Thursday, time.Friday}
	office := abac.Window{Zone: "Europe/Berlin", Days: weekdays, From: 8 * time.Hour, To: 18 * time.Hour}
	night := abac.Window{Zone: "Europe/Berlin", Days: []time.Weekday{time.Saturday}, From: 22 * time.Hour, To: 6 * time.Hour}
	for name, tc := range map[string]struct {
		window abac.Window
		now    time.Time
		want   bool
	}{
		"the first second is in":            {office, at(t, "Europe/Berlin", "2026-11-30 08:00:00"), true},
		"the second before is out":          {office, at(t, "Europe/Berlin", "2026-11-30 07:59:59"), false},
		"the last second is in":             {office, at(t, "Europe/Berlin", "2026-11-30 17:59:59"), true},
		"the second after is out":           {office, at(t, "Europe/Berlin", "2026-11-30 18:00:00"), false},
		"a Sunday is out":                   {office, at(t, "Europe/Berlin", "2026-11-29 12:00:00"), false},
		"the caller's zone is no matter":    {office, at(t, "Asia/Tokyo", "2026-11-30 16:00:00"), true},
		"in winter eight is seven":          {office, at(t, "UTC", "2026-01-12 07:00:00"), true},
		"in summer eight is six":            {office, at(t, "UTC", "2026-07-13 06:00:00"), true},
		"and in winter six is too early":    {office, at(t, "UTC", "2026-01-12 06:59:59"), false},
		"a night begins on its day":         {night, at(t, "Europe/Berlin", "2026-11-28 22:00:00"), true},
		"and ends on the next":              {night, at(t, "Europe/Berlin", "2026-11-29 05:59:59"), true},
		"but not later":                     {night, at(t, "Europe/Berlin", "2026-11-29 06:00:00"), false},
		"and not on the night before":       {night, at(t, "Europe/Berlin", "2026-11-28 05:00:00"), false},
		"nor on the night after":            {night, at(t, "Europe/Berlin", "2026-11-29 22:00:00"), false},
		"a window may end at midnight":      {abac.Window{Zone: "UTC", From: 22 * time.Hour}, at(t, "UTC", "2026-11-30 23:59:59"), true},
		"and then does":                     {abac.Window{Zone: "UTC", From: 22 * time.Hour}, at(t, "UTC", "2026-12-01 00:00:00"), false},
		"the zero time is in no window":     {abac.Window{Zone: "UTC", To: 24 * time.Hour}, time.Time{}, false},
		"any other is in the whole week":    {abac.Window{Zone: "UTC", To: 24 * time.Hour}, time.Unix(0, 0), true},
		"a week's last night enters Sunday": {night, at(t, "Europe/Berlin", "2026-12-06 00:00:00"), true},
	} {
		t.Run(name, func(t *testing.T) {
			want := abac.OutsideTimeWindow
			if tc.want {
				want = abac.Allowed
			}
			require.Equal(t, want, holds(t, abac.During(tc.window), abac.Subject{}, abac.Request{Now: tc.now}))
		})
	}
}

// TestAWindowAcrossTheChangeOfClocks walks through both nights of 2026 second by second of interest: in the night of
// 29 March the clock in Berlin jumps from 2 to 3, in that of 25 October it shows the hour from 2 to 3 twice.
func TestAWindowAcrossTheChangeOfClocks(t *testing.T) {
	twoToThree := abac.During(abac.Window{Zone: "Europe/Berlin", From: 2 * time.Hour, To: 3 * time.Hour})
	open := func(c abac.Condition, start time.Time) (minutes int) {
		for m := range 24 * 60 {
			if holds(t, c, abac.Subject{}, abac.Request{Now: start.Add(time.Duration(m) * time.Minute)}) == abac.Allowed {
				minutes++
			}
		}
		return minutes
	}
	spring, autumn, plain := at(t, "UTC", "2026-03-28 12:00:00"), at(t, "UTC", "2026-10-24 12:00:00"), at(t, "UTC", "2026-06-01 12:00:00")
	require.Equal(t, 60, open(twoToThree, plain))
	require.Equal(t, 0, open(twoToThree, spring), "the hour is left out")
	require.Equal(t, 120, open(twoToThree, autumn), "the hour is repeated")

	oneToFour := abac.During(abac.Window{Zone: "Europe/Berlin", From: time.Hour, To: 4 * time.Hour})
	require.Equal(t, 120, open(oneToFour, spring))
	require.Equal(t, 240, open(oneToFour, autumn))
	last := at(t, "UTC", "2026-03-29 00:59:59") // 01:59:59 in Berlin; a second later it is 3
	require.Equal(t, abac.Allowed, holds(t, oneToFour, abac.Subject{}, abac.Request{Now: last.Add(time.Second)}))
	require.Equal(t, abac.OutsideTimeWindow, holds(t, twoToThree, abac.Subject{}, abac.Request{Now: last}))
	require.Equal(t, abac.OutsideTimeWindow, holds(t, twoToThree, abac.Subject{}, abac.Request{Now: last.Add(time.Second)}))
}

func prefixes(texts ...string) (list []netip.Prefix) {
	for _, text := range texts {
		list = append(list, netip.MustParsePrefix(text))
	}
	return list
}

func TestFrom(t *testing.T) {
	for name, tc := range map[string]struct {
		networks []netip.Prefix
		addr     string // empty: unknown
		want     bool
	}{
		"an address inside":                        {prefixes("10.0.0.0/8"), "10.255.255.255", true},
		"an address outside":                       {prefixes("10.0.0.0/8"), "11.0.0.0", false},
		"the second network":                       {prefixes("10.0.0.0/8", "2001:db8::/32"), "2001:db8::1", true},
		"an IPv4 address in IPv6 form":             {prefixes("10.0.0.0/8"), "::ffff:10.1.2.3", true},
		"a network in IPv6 form":                   {prefixes("::ffff:10.0.0.0/104"), "10.1.2.3", true},
		"both in IPv6 form":                        {prefixes("::ffff:10.0.0.0/104"), "::ffff:10.1.2.3", true},
		"a network in IPv6 form keeps its border":  {prefixes("::ffff:10.0.0.0/104"), "11.1.2.3", false},
		"every IPv6 address is no IPv4 address":    {prefixes("::/0"), "::ffff:10.1.2.3", false},
		"every IPv4 address is no IPv6 address":    {prefixes("0.0.0.0/0"), "2001:db8::1", false},
		"all of IPv4 in IPv6 form":                 {prefixes("::ffff:0:0/96"), "192.0.2.1", true},
		"which is no IPv6 network":                 {prefixes("::ffff:0:0/96"), "2001:db8::1", false},
		"a small IPv6 network":                     {prefixes("2001:db8::/112"), "2001:db8::ffff", true},
		"and its border":                           {prefixes("2001:db8::/112"), "2001:db8::1:0", false},
		"an IPv4-compatible address is not mapped": {prefixes("10.0.0.0/8"), "::10.1.2.3", false},
		"a single address":                         {prefixes("192.0.2.7/32"), "192.0.2.7", true},
		"an address with a zone":                   {prefixes("fe80::/10"), "fe80::1%eth0", false},
		"an unknown address":                       {prefixes("0.0.0.0/0", "::/0"), "", false},
	} {
		t.Run(name, func(t *testing.T) {
			var addr netip.Addr
			if tc.addr != "" {
				addr = netip.MustParseAddr(tc.addr)
			}
			want := abac.NetworkNotAllowed
			if tc.want {
				want = abac.Allowed
			}
			require.Equal(t, want, holds(t, abac.From(tc.networks...), abac.Subject{}, abac.Request{Addr: addr}))
		})
	}
}

func TestDevice(t *testing.T) {
	now := at(t, "UTC", "2026-11-29 12:00:00")
	c := abac.Device(abac.Managed|abac.DiskEncrypted, time.Hour)
	for name, tc := range map[string]struct {
		shows abac.Posture
		found time.Time
		want  abac.Reason
	}{
		"everything demanded, at the limit": {abac.Managed | abac.DiskEncrypted, now.Add(-time.Hour), abac.Allowed},
		"and more":                          {abac.Managed | abac.DiskEncrypted | abac.UpToDate, now, abac.Allowed},
		"one fact missing":                  {abac.Managed | abac.UpToDate, now, abac.DevicePosture},
		"nothing known":                     {0, now, abac.DevicePosture},
		"found too long ago":                {abac.Managed | abac.DiskEncrypted, now.Add(-time.Hour - 1), abac.DevicePosture},
		"never found":                       {abac.Managed | abac.DiskEncrypted, time.Time{}, abac.DevicePosture},
		"found in the future":               {abac.Managed | abac.DiskEncrypted, now.Add(time.Hour), abac.DevicePosture},
	} {
		t.Run(name, func(t *testing.T) {
			require.Equal(t, tc.want, holds(t, c, abac.Subject{Posture: tc.shows, PostureTime: tc.found}, abac.Request{Now: now}))
		})
	}
}

func TestDualControl(t *testing.T) {
	u := universe(t, "devices:read")
	all, none := compile(t, u, "*:*"), compile(t, u, "iam:read")
	now, home, object := at(t, "UTC", "2026-11-29 12:00:00"), uuid.New(), uuid.New()
	me := abac.Subject{ID: uuid.New(), Tenant: home, Level: abac.MultiFactor}
	second := abac.Subject{ID: uuid.New(), Tenant: home, Set: all, Level: abac.MultiFactor}
	good := abac.Approval{By: &second, For: me.ID, Permission: "devices:read", Object: object, At: now.Add(-time.Minute)}
	c := abac.DualControl(time.Minute)
	for name, tc := range map[string]struct {
		change func(*abac.Approval, *abac.Subject)
		want   bool
	}{
		"a second person approved":             {func(*abac.Approval, *abac.Subject) {}, true},
		"nobody did":                           {func(a *abac.Approval, _ *abac.Subject) { a.By = nil }, false},
		"the same person did":                  {func(_ *abac.Approval, by *abac.Subject) { by.ID = me.ID }, false},
		"somebody without an id did":           {func(_ *abac.Approval, by *abac.Subject) { by.ID = uuid.Nil }, false},
		"for somebody else":                    {func(a *abac.Approval, _ *abac.Subject) { a.For = uuid.New() }, false},
		"for another permission":               {func(a *abac.Approval, _ *abac.Subject) { a.Permission = "devices:write" }, false},
		"in another tenant":                    {func(_ *abac.Approval, by *abac.Subject) { by.Tenant = uuid.New() }, false},
		"without the right to it":              {func(_ *abac.Approval, by *abac.Subject) { by.Set = none }, false},
		"without any policies":                 {func(_ *abac.Approval, by *abac.Subject) { by.Set = nil }, false},
		"with a weaker authentication":         {func(_ *abac.Approval, by *abac.Subject) { by.Level = abac.SingleFactor }, false},
		"with a stronger one":                  {func(_ *abac.Approval, by *abac.Subject) { by.Level = abac.PhishingResistant }, true},
		"for another object":                   {func(a *abac.Approval, _ *abac.Subject) { a.Object = uuid.New() }, false},
		"for no object":                        {func(a *abac.Approval, _ *abac.Subject) { a.Object = uuid.Nil }, false},
		"too long ago":                         {func(a *abac.Approval, _ *abac.Subject) { a.At = now.Add(-time.Minute - 1) }, false},
		"at no known time":                     {func(a *abac.Approval, _ *abac.Subject) { a.At = time.Time{} }, false},
		"in the future, beyond clocks' errors": {func(a *abac.Approval, _ *abac.Subject) { a.At = now.Add(time.Minute + 1) }, false},
	} {
		t.Run(name, func(t *testing.T) {
			by, approval := second, good
			approval.By = &by
			tc.change(&approval, &by)
			want := abac.DualControlRequired
			if tc.want {
				want = abac.Allowed
			}
			require.Equal(t, want, holds(t, c, me, abac.Request{Now: now, Object: object, Approval: &approval}))
		})
	}
	require.Equal(t, abac.DualControlRequired, holds(t, c, me, abac.Request{Now: now}))
	nameless := me
	nameless.ID = uuid.Nil
	approval := good
	approval.For = uuid.Nil
	require.Equal(t, abac.DualControlRequired, holds(t, c, nameless, abac.Request{Now: now, Object: object, Approval: &approval}), "an acting subject without an id")
}

func TestConditionsThatAreNotValid(t *testing.T) {
	u := universe(t, "devices:read")
	berlin := func(change func(*abac.Window)) abac.Condition {
		w := abac.Window{Zone: "Europe/Berlin", From: 8 * time.Hour, To: 18 * time.Hour}
		change(&w)
		return abac.During(w)
	}
	for name, c := range map[string]abac.Condition{
		"the zero condition":        {},
		"MFA that demands nothing":  abac.MFA(abac.SingleFactor, 0),
		"MFA of a negative age":     abac.MFA(abac.MultiFactor, -1),
		"MFA of an unknown level":   abac.MFA(abac.PhishingResistant+1, 0),
		"no network":                abac.From(),
		"a network with host bits":  abac.From(prefixes("10.0.0.1/8")...),
		"the zero network":          abac.From(netip.Prefix{}),
		"one bad of two networks":   abac.From(append(prefixes("10.0.0.0/8"), netip.Prefix{})...),
		"a network around IPv4":     abac.From(prefixes("::/64")...),
		"no posture":                abac.Device(0, 0),
		"an unknown posture":        abac.Device(1<<6, 0),
		"a posture of negative age": abac.Device(abac.Managed, -1),
		"approval without an age":   abac.DualControl(0),
		"approval of negative age":  abac.DualControl(-1),
		"no zone":                   berlin(func(w *abac.Window) { w.Zone = "" }),
		"the machine's zone":        berlin(func(w *abac.Window) { w.Zone = "Local" }),
		"an unknown zone":           berlin(func(w *abac.Window) { w.Zone = "Europe/Entenhausen" }),
		"an empty window":           berlin(func(w *abac.Window) { w.To = w.From }),
		"half a minute":             berlin(func(w *abac.Window) { w.From += 30 * time.Second }),
		"half a minute at the end":  berlin(func(w *abac.Window) { w.To += 30 * time.Second }),
		"a negative beginning":      berlin(func(w *abac.Window) { w.From = -time.Hour }),
		"a negative end":            berlin(func(w *abac.Window) { w.To = -time.Hour }),
		"a beginning at 24":         berlin(func(w *abac.Window) { w.From = 24 * time.Hour }),
		"an end after 24":           berlin(func(w *abac.Window) { w.To = 24*time.Hour + time.Minute }),
		"an eighth day":             berlin(func(w *abac.Window) { w.Days = []time.Weekday{7} }),
		"a day before the first":    berlin(func(w *abac.Window) { w.Days = []time.Weekday{-1} }),
		"a day twice":               berlin(func(w *abac.Window) { w.Days = []time.Weekday{1, 1} }),
	} {
		t.Run(name, func(t *testing.T) {
			require.Error(t, c.Err())
			_, err := u.Require("devices:read", c)
			require.ErrorContains(t, err, "condition 0")
			_, err = c.MarshalJSON()
			require.Error(t, err)
			require.NotEmpty(t, c.String())
			require.Equal(t, abac.InvalidCondition, c.Check(abac.Subject{}, abac.Request{}), "and holds for nobody")
		})
	}
}

// TestConditionsDoNotAllocate decides with one of each kind.
func TestConditionsDoNotAllocate(t *testing.T) {
	u := universe(t, "devices:read")
	all, now, home := compile(t, u, "*:*"), time.Now(), uuid.New()
	sub := &abac.Subject{
		ID: uuid.New(), Tenant: home, Set: all, Level: abac.MultiFactor, AuthTime: now, Posture: abac.Managed, PostureTime: now,
		Clearance: upTo(3),
	}
	second := *sub
	second.ID = uuid.New()
	req := abac.Request{
		Tenant: home, Now: now, Addr: netip.MustParseAddr("10.1.2.3"), Label: 2,
		Approval: &abac.Approval{By: &second, For: sub.ID, Permission: "devices:read", At: now},
	}
	conditions := []abac.Condition{
		abac.SameTenant(), abac.WithinTenant(), abac.MFA(abac.MultiFactor, time.Hour), abac.From(prefixes("10.0.0.0/8")...),
		abac.During(abac.Window{Zone: "Europe/Berlin", To: 24 * time.Hour}), abac.Device(abac.Managed, time.Hour),
		abac.Cleared(), abac.DualControl(time.Hour),
	}
	roles, err := abac.NewRoles(u, 1)
	require.NoError(t, err)
	req.Constraints, err = abac.NewConstraints(u, roles, abac.Constraint{Policy: "*:*", When: conditions})
	require.NoError(t, err)
	need, err := u.Require("devices:read", conditions...)
	require.NoError(t, err)
	require.True(t, need.Decide(sub, req).Allowed)
	require.Zero(t, testing.AllocsPerRun(100, func() { need.Decide(sub, req) }))
}
