package audit

import (
	"fmt"
	"slices"
)

func publishedTables(m *model) (hits []hit) {
	for _, p := range m.Publications {
		t := m.byOID[p.Relation]
		switch {
		case p.Filtered:
		case p.All && len(m.tables) > 0:
			hits = append(hits, hit{"publication " + ident(p.Name), "FOR ALL TABLES", []string{ident(p.Name)}})
		case t != nil:
			hits = append(hits, hit{"publication " + ident(p.Name), t.Name, []string{ident(p.Name)}})
		}
	}
	return hits
}

func logicalSlots(m *model) (hits []hit) {
	for _, name := range m.Slots {
		hits = append(hits, hit{"replication slot " + name, "", []string{name}})
	}
	return hits
}

func largeObjects(m *model) []hit {
	if m.LargeObjects == 0 {
		return nil
	}
	return []hit{{object: "database " + ident(m.Server.Database), detail: fmt.Sprint(m.LargeObjects)}}
}

// reaching are extensions that open files, processes or connections. The name of a language stands for the language.
var reaching = []string{"dblink", "postgres_fdw", "file_fdw", "adminpack", "plpython3u", "plpythonu", "plperlu", "pltclu", "plsh",
	"http", "pg_net", "pg_cron", "aws_s3", "oracle_fdw", "mysql_fdw", "tds_fdw", "redis_fdw", "multicorn", "pg_background", "pageinspect", "pg_walinspect"}

func reachingExtensions(m *model) (hits []hit) {
	for _, name := range m.Extensions {
		if slices.Contains(reaching, name) {
			hits = append(hits, hit{"extension " + ident(name), "", []string{ident(name)}})
		}
	}
	return hits
}

func userMappings(m *model) (hits []hit) {
	for _, u := range m.UserMappings {
		if slices.ContainsFunc(m.requests, func(r *role) bool { return m.holds(r, u.User) }) {
			hits = append(hits, hit{"server " + ident(u.Server), m.roleName(u.User), []string{ident(u.Server), m.roleName(u.User)}})
		}
	}
	return hits
}

func foreignServerUsage(m *model) (hits []hit) {
	for _, s := range m.ForeignServers {
		who := m.grantees(s.OID, "USAGE")
		if owner := m.anyRequest(func(r *role) bool { return m.holds(r, s.Owner) }); who == "" && s.Owner != 0 {
			who = owner
		}
		if who != "" {
			hits = append(hits, hit{"server " + ident(s.Name), who, []string{ident(s.Name), who}})
		}
	}
	return hits
}
