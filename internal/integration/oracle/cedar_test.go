package oracle_test

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/cedar-policy/cedar-go"
	"github.com/cedar-policy/cedar-go/types"
	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/pioneerdesk/tomkit/abac"
)

// The differential test draws policy sets and asks tomkit's engine and cedar-go the same questions. Cedar's own semantics are
// default deny and forbid overrides permit; a resource hierarchy is what its entities have, and a constraint is a forbid with
// an unless. Nothing here uses tomkit's parser, matcher or clock to make Cedar's side.

const (
	cedarShort     = 1_000_000   // decisions in CI
	cedarLong      = 200_000_000 // with TOMKIT_SOAK=1
	cedarPerSet    = 1024
	cedarSituation = 24 // situations drawn for each policy set
)

var (
	cedarActions   = []string{"read", "write", "x", "re-ad"}
	cedarResources = func() (all []string) {
		labels := []string{"a", "b", "ab", "a-b"}
		for _, one := range labels {
			all = append(all, one)
			for _, two := range labels[:3] {
				all = append(all, one+"."+two, one+"."+two+".a", one+"."+two+".b")
			}
		}
		return all
	}()
	cedarRoles = []string{"r0", "r1", "r2"}
)

// world is one drawn policy set in both forms.
type world struct {
	random     *rand.Rand
	cedar      *cedar.PolicySet
	policies   *abac.Policies
	universe   *abac.Universe
	subjects   []*abac.Subject // one for each role
	texts      []string        // Cedar's policies, for messages
	entities   cedar.EntityMap
	situations []situation
}

// situation is what a request brings along, in both forms.
type situation struct {
	tenant, owner uuid.UUID
	level         abac.Level
	authTime      time.Time
	posture       abac.Posture
	request       abac.Request
	context       cedar.Record
}

func cedarEntities() cedar.EntityMap {
	entities := cedar.EntityMap{}
	for _, r := range cedarResources {
		uid := cedar.NewEntityUID("Resource", cedar.String(r))
		e := cedar.Entity{UID: uid}
		if i := strings.LastIndex(r, "."); i >= 0 {
			e.Parents = cedar.NewEntityUIDSet(cedar.NewEntityUID("Resource", cedar.String(r[:i])))
		}
		entities[uid] = e
	}
	for i, role := range cedarRoles {
		user, uid := cedar.NewEntityUID("User", cedar.String(fmt.Sprint("u", i))), cedar.NewEntityUID("Role", cedar.String(role))
		entities[user] = cedar.Entity{UID: user, Parents: cedar.NewEntityUIDSet(uid)}
		entities[uid] = cedar.Entity{UID: uid}
	}
	return entities
}

func pick[T any](r *rand.Rand, from []T) T { return from[r.IntN(len(from))] }

// pattern draws a resource and an action, each a wildcard now and then, and says them in Cedar's words.
func (w *world) pattern() (text, scope string) {
	resource, action := pick(w.random, cedarResources), pick(w.random, cedarActions)
	inCedar := []string{fmt.Sprintf("action == Action::%q", action), fmt.Sprintf("resource in Resource::%q", resource)}
	if w.random.IntN(5) == 0 {
		resource, inCedar[1] = "*", "resource"
	} else if w.random.IntN(3) == 0 {
		resource, _, _ = strings.Cut(resource, ".")
		inCedar[1] = fmt.Sprintf("resource in Resource::%q", resource)
	}
	if w.random.IntN(4) == 0 {
		action, inCedar[0] = "*", "action"
	}
	return resource + ":" + action, strings.Join(inCedar, ", ")
}

func (w *world) add(t *testing.T, text string) {
	t.Helper()
	var p cedar.Policy
	require.NoError(t, p.UnmarshalCedar([]byte(text)), text)
	w.cedar.Add(cedar.PolicyID(fmt.Sprint("p", len(w.texts))), &p)
	w.texts = append(w.texts, text)
}

// condition draws a condition and says it in Cedar's words.
func (w *world) condition() (abac.Condition, string) {
	switch w.random.IntN(6) {
	case 0:
		return abac.SameTenant(), `(context.owner != "" && context.owner == context.tenant)`
	case 1:
		level := 1 + w.random.IntN(2)
		return abac.MFA(abac.Level(level), 0), fmt.Sprintf("context.level >= %d", level)
	case 2:
		level, age := w.random.IntN(3), pick(w.random, []int{60, 300})
		return abac.MFA(abac.Level(level), time.Duration(age)*time.Second),
			fmt.Sprintf("(context.level >= %d && context has age && context.age <= %d && context.age >= -60)", level, age)
	case 3:
		network := pick(w.random, []string{"10.0.0.0/8", "10.1.0.0/16", "192.0.2.0/24", "2001:db8::/32", "2001:db8:1::/48"})
		return abac.From(netip.MustParsePrefix(network)), fmt.Sprintf(`(context has addr && context.addr.isInRange(ip(%q)))`, network)
	case 4:
		return abac.Device(abac.Managed|abac.DiskEncrypted, 0), `context.shows.containsAll(["managed", "disk"])`
	}
	from, to, day := w.random.IntN(12), 12+w.random.IntN(12), w.random.IntN(7)
	window := abac.Window{Zone: "UTC", From: time.Duration(from) * time.Hour, To: time.Duration(to) * time.Hour, Days: []time.Weekday{time.Weekday(day), time.Weekday((day + 1) % 7)}}
	return abac.During(window), fmt.Sprintf("([%d, %d].contains(context.day) && context.minute >= %d && context.minute < %d)", day, (day+1)%7, from*60, to*60)
}

// draw makes a policy set: rules of each role and person, constraints, and the situations to ask in.
func draw(t *testing.T, random *rand.Rand, entities cedar.EntityMap) *world {
	t.Helper()
	w := &world{random: random, cedar: cedar.NewPolicySet(), entities: entities}
	set := &abac.PolicySet{Version: 1}
	for _, r := range cedarResources {
		for _, a := range cedarActions {
			set.Permissions = append(set.Permissions, r+":"+a)
		}
	}
	individual := make([][]string, len(cedarRoles))
	for i, name := range cedarRoles {
		role := abac.Role{Name: name}
		for n := range 1 + random.IntN(5) {
			text, scope := w.pattern()
			effect, mark, principal := "permit", "", fmt.Sprintf("principal in Role::%q", name)
			if random.IntN(3) == 0 {
				effect, mark = "forbid", "!"
			}
			if n > 0 && random.IntN(4) == 0 { // the person's own, beyond the role
				principal = fmt.Sprintf(`principal == User::"u%d"`, i)
				individual[i] = append(individual[i], mark+text)
			} else if !contains(role.Policies, mark+text) {
				role.Policies = append(role.Policies, mark+text)
			}
			w.add(t, fmt.Sprintf("%s (%s, %s);", effect, principal, scope))
		}
		set.Roles = append(set.Roles, role)
	}
	for range random.IntN(3) {
		text, scope := w.pattern()
		condition, when := w.condition()
		c, principal := abac.Constraint{Policy: text, When: []abac.Condition{condition}}, "principal"
		if random.IntN(2) == 0 {
			another, also := w.condition()
			c.When, when = append(c.When, another), when+" && "+also
		}
		if random.IntN(3) == 0 {
			c.Roles = []string{pick(random, cedarRoles)}
			principal = fmt.Sprintf("principal in Role::%q", c.Roles[0])
		}
		set.Constraints = append(set.Constraints, c)
		w.add(t, fmt.Sprintf("forbid (%s, %s) unless { %s };", principal, scope, when))
	}
	var asked []string // two of three permissions are the program's, so that both ways to decide are asked
	for i, p := range set.Permissions {
		if (i+random.IntN(2))%3 != 0 {
			asked = append(asked, p)
		}
	}
	var err error
	w.universe, err = abac.NewUniverse(asked...)
	require.NoError(t, err)
	w.policies, err = set.Compile(w.universe)
	require.NoError(t, err)
	for i, role := range set.Roles {
		compiled, err := w.universe.Compile(abac.Source{Role: role.Name, Policies: role.Policies}, abac.Source{Policies: individual[i]})
		require.NoError(t, err)
		w.subjects = append(w.subjects, &abac.Subject{ID: uuid.New(), Role: role.Name, Set: compiled, Version: 1})
	}
	for range cedarSituation {
		w.situations = append(w.situations, w.situation())
	}
	return w
}

func contains(list []string, text string) bool {
	for _, one := range list {
		if one == text {
			return true
		}
	}
	return false
}

var cedarTenants = []uuid.UUID{uuid.MustParse("10000000-0000-4000-8000-000000000000"), uuid.MustParse("20000000-0000-4000-8000-000000000000")}

// situation draws what a request brings along and says it in Cedar's words.
func (w *world) situation() situation {
	now := time.Unix(1_800_000_000+w.random.Int64N(400*24*3600), 0)
	s := situation{tenant: pick(w.random, cedarTenants), level: abac.Level(w.random.IntN(3))}
	if w.random.IntN(4) > 0 {
		s.owner = pick(w.random, cedarTenants)
	}
	minutes := now.Unix() / 60
	context := cedar.RecordMap{
		"tenant": cedar.String(s.tenant.String()), "owner": cedar.String(""), "level": cedar.Long(s.level),
		"day": cedar.Long((minutes/1440 + 4) % 7), "minute": cedar.Long(minutes % 1440), // 1 January 1970 was a Thursday
	}
	if s.owner != uuid.Nil {
		context["owner"] = cedar.String(s.owner.String())
	}
	s.request = w.policies.Apply(abac.Request{Tenant: s.owner, Now: now})
	if w.random.IntN(4) > 0 {
		age := pick(w.random, []int{-120, -60, 0, 30, 60, 61, 300, 301, 100_000})
		s.authTime, context["age"] = now.Add(-time.Duration(age)*time.Second), cedar.Long(age)
	}
	if w.random.IntN(4) > 0 {
		text := pick(w.random, []string{"10.0.0.1", "10.1.2.3", "11.0.0.1", "192.0.2.255", "192.0.3.0", "2001:db8::1", "2001:db8:1::1", "2001:db9::"})
		addr, err := types.ParseIPAddr(text)
		if err != nil {
			panic(err)
		}
		s.request.Addr, context["addr"] = netip.MustParseAddr(text), addr
	}
	var shows []cedar.Value
	for i, name := range []string{"managed", "disk", "lock"} {
		if w.random.IntN(3) > 0 {
			s.posture |= []abac.Posture{abac.Managed, abac.DiskEncrypted, abac.ScreenLock}[i]
			shows = append(shows, cedar.String(name))
		}
	}
	context["shows"] = cedar.NewSet(shows...)
	s.context = cedar.NewRecord(context)
	return s
}

// ask asks both one question and returns tomkit's answer, and what they differ in.
func (w *world) ask(role int, s *situation, resource, action string) (allowed bool, difference string) {
	permission := resource + ":" + action
	sub := *w.subjects[role]
	sub.Tenant, sub.Level, sub.AuthTime, sub.Posture = s.tenant, s.level, s.authTime, s.posture
	want, diagnostic := cedar.Authorize(w.cedar, w.entities, cedar.Request{
		Principal: cedar.NewEntityUID("User", cedar.String([]string{"u0", "u1", "u2"}[role])),
		Action:    cedar.NewEntityUID("Action", cedar.String(action)),
		Resource:  cedar.NewEntityUID("Resource", cedar.String(resource)),
		Context:   s.context,
	})
	rights := abac.Rights{Set: sub.Set, Role: sub.Role, Constraints: w.policies.Constraints}
	got := rights.Decide(abac.Case{Permission: permission, Subject: sub, Request: s.request})
	same := got.Allowed == bool(want)
	if need, err := w.universe.Require(permission); err == nil { // the way requests go
		same = same && need.Decide(&sub, s.request) == got
	}
	if !same || len(diagnostic.Errors) > 0 {
		difference = fmt.Sprintf("%s as %s: tomkit %v, Cedar %v %v\n%s\n%+v", permission, sub.Role, got, want, diagnostic.Errors, strings.Join(w.texts, "\n"), s)
	}
	return got.Allowed, difference
}

// askAnything asks one random question.
func (w *world) askAnything() (allowed bool, difference string) {
	return w.ask(w.random.IntN(len(cedarRoles)), &w.situations[w.random.IntN(cedarSituation)], pick(w.random, cedarResources), pick(w.random, cedarActions))
}

// TestTheComparisonSeesALostDeny takes one deny away from tomkit's side, and then all constraints, and expects to hear of it.
func TestTheComparisonSeesALostDeny(t *testing.T) {
	random, entities := rand.New(rand.NewPCG(3, 4)), cedarEntities()
	lostDeny, lostConstraint := 0, 0
	for range 60 {
		w := draw(t, random, entities)
		policies := w.subjects[0].Set.Policies()
		for i, p := range policies {
			if strings.HasPrefix(p, "!") {
				var err error
				w.subjects[0].Set, err = w.universe.Compile(abac.Source{Policies: append(policies[:i:i], policies[i+1:]...)})
				require.NoError(t, err)
				lostDeny += w.differences()
				break
			}
		}
		w = draw(t, random, entities)
		var err error
		w.policies.Constraints, err = abac.NewConstraints(w.universe, w.policies.Roles)
		require.NoError(t, err)
		for i := range w.situations {
			w.situations[i].request.Constraints = w.policies.Constraints
		}
		lostConstraint += w.differences()
	}
	require.Positive(t, lostDeny)
	require.Positive(t, lostConstraint)
}

func (w *world) differences() (n int) {
	for range cedarPerSet {
		if _, difference := w.askAnything(); difference != "" {
			n++
		}
	}
	return n
}

// TestEveryDecisionIsCedars compares a million random decisions with those of cedar-go; with TOMKIT_SOAK=1 two hundred
// million.
func TestEveryDecisionIsCedars(t *testing.T) {
	total := cedarShort
	if os.Getenv("TOMKIT_SOAK") == "1" {
		total = cedarLong
	}
	seed := uint64(1)
	if total == cedarLong {
		seed = rand.Uint64()
	}
	random, entities := rand.New(rand.NewPCG(seed, 2)), cedarEntities()
	decisions, sets, allowed := 0, 0, 0
	for decisions < total {
		w := draw(t, random, entities)
		sets++
		for range cedarPerSet {
			yes, difference := w.askAnything()
			if difference != "" {
				t.Fatal(difference)
			}
			if yes {
				allowed++
			}
			decisions++
			if decisions%10_000_000 == 0 {
				t.Logf("%d decisions, %d sets, %d allowed, no difference", decisions, sets, allowed)
			}
		}
	}
	t.Logf("seed %d: %d decisions on %d policy sets, %d allowed, no difference", seed, decisions, sets, allowed)
	require.Greater(t, allowed, decisions/20, "both answers have to be common")
	require.Less(t, allowed, decisions*19/20)
}
