package audit

import (
	"fmt"
	"slices"
	"strings"
)

func serverTooOld(m *model) []hit {
	if m.Server.Version >= 150000 {
		return nil
	}
	return []hit{{object: "server", detail: m.Server.describe().Version}}
}

// floors names, for each hole in row-level security since PostgreSQL 15, the first minor version of each major without it.
// Sources: the release notes and the advisories of the PostgreSQL project.
var floors = []struct {
	cve   string
	fixed map[int]int
}{
	{"CVE-2023-2455", map[int]int{15: 3}},                           // policies after inlining
	{"CVE-2024-10976", map[int]int{15: 9, 16: 5, 17: 1}},            // role change below subqueries
	{"CVE-2025-8713", map[int]int{15: 14, 16: 10, 17: 6}},           // statistics over views, partitions, children
	{"CVE-2026-120154", map[int]int{15: 20, 16: 16, 17: 12, 18: 7}}, // INSERT … ON CONFLICT DO UPDATE reads every row
}

func serverVulnerable(m *model) (hits []hit) {
	major, minor := m.Server.Version/10000, m.Server.Version%10000
	for _, f := range floors {
		if fixed, affected := f.fixed[major]; affected && minor < fixed {
			hits = append(hits, hit{object: "server", detail: fmt.Sprintf("%d.%d: %s, %d.%d", major, minor, f.cve, major, fixed)})
		}
	}
	return hits
}

func settingHit(name, value string) hit {
	return hit{"setting " + name, value, []string{name}}
}

func settingIs(name, value string) func(*model) []hit {
	return func(m *model) []hit {
		if have, _ := m.setting(name); have != value {
			return nil
		}
		return []hit{settingHit(name, value)}
	}
}

// parametersLogged knows two ways: with each logged statement, which needs statements to be logged, and with errors.
func parametersLogged(m *model) (hits []hit) {
	statement, known := m.setting("log_statement")
	logged := known && statement != "none"
	for _, name := range []string{"log_min_duration_statement", "log_min_duration_sample"} {
		if value, known := m.setting(name); known && value != "-1" {
			logged = true
		}
	}
	for name, counts := range map[string]bool{"log_parameter_max_length": logged, "log_parameter_max_length_on_error": true} {
		if value, known := m.setting(name); known && counts && value != "0" {
			hits = append(hits, settingHit(name, value))
		}
	}
	return hits
}

// listens reports whether other machines, or other accounts of this one, reach the server by network.
func (m *model) listens(local bool) bool {
	addresses, known := m.setting("listen_addresses")
	for a := range strings.SplitSeq(addresses, ",") {
		a = strings.TrimSpace(a)
		if a != "" && (local || !slices.Contains([]string{"localhost", "127.0.0.1", "::1"}, a)) {
			return known
		}
	}
	return false
}

func noTLS(m *model) []hit {
	if ssl, known := m.setting("ssl"); !known || ssl == "on" || !m.listens(false) {
		return nil
	}
	addresses, _ := m.setting("listen_addresses")
	return []hit{settingHit("ssl", addresses)}
}

// hba finds network lines of that method; a plain password inside TLS is no finding.
func hba(method string) func(*model) []hit {
	return func(m *model) (hits []hit) {
		for _, h := range m.HBA {
			if !strings.HasPrefix(h.Type, "host") || h.Method != method || !m.listens(true) || method == "password" && h.Type == "hostssl" {
				continue
			}
			hits = append(hits, hit{object: fmt.Sprintf("pg_hba.conf line %d", h.Line),
				detail: strings.Join([]string{h.Type, h.Database, h.User, h.Address, h.Method}, " ")})
		}
		return hits
	}
}

func preloadedLibraries(m *model) (hits []hit) {
	for _, name := range []string{"session_preload_libraries", "local_preload_libraries"} {
		if value, _ := m.setting(name); value != "" {
			hits = append(hits, settingHit(name, value))
		}
	}
	return hits
}

func (m *model) builtins(which func(name string) bool) (hits []hit) {
	for _, b := range m.Builtins {
		if which(b.Name) && slices.ContainsFunc(m.requests, func(r *role) bool { return m.holds(r, b.Grantee) }) {
			hits = append(hits, hit{"function pg_catalog." + b.Name, m.roleName(b.Grantee), []string{b.Name, m.roleName(b.Grantee)}})
		}
	}
	return hits
}

func fileFunctions(m *model) []hit {
	return m.builtins(func(name string) bool { return strings.HasSuffix(name, ")") })
}

func secretCatalogues(m *model) []hit {
	hits := m.builtins(func(name string) bool { return !strings.HasSuffix(name, ")") && name != "pg_stat_activity" })
	for i := range hits {
		hits[i].object = "table pg_catalog." + hits[i].args[0]
	}
	return hits
}

func activityView(m *model) []hit {
	hits := m.builtins(func(name string) bool { return name == "pg_stat_activity" })
	for i := range hits {
		hits[i].object = "view pg_catalog.pg_stat_activity"
	}
	return hits
}

func statementsView(m *model) (hits []hit) {
	for i := range m.Relations {
		r := &m.Relations[i]
		if r.Bare != "pg_stat_statements" || !r.Extension {
			continue
		}
		if who := m.grantees(r.OID, "SELECT"); who != "" {
			hits = append(hits, hit{"view " + r.Name, who, []string{r.Name}})
		}
	}
	return hits
}

func extendedStatistics(m *model) (hits []hit) {
	for _, s := range m.Statistics {
		if t := m.byOID[s.Relation]; t != nil {
			hits = append(hits, hit{"statistics " + s.Name, t.Name, []string{s.Name}})
		}
	}
	return hits
}
