package reference_test

import (
	"io/fs"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/pioneerdesk/tomkit/internal/server/reference"
)

// named are the 28 tables of TOM 2.1.
var named = strings.Fields(`users roles sessions api_keys policies
	devices installed_software hardware_info pending_commands device_services network_adapters device_snapshots
	heartbeat_history device_events dex_scores alert_rules alert_history
	tickets ticket_comments solver_solutions ai_knowledge_base tenant_ai_memory
	audit_logs qa_audit_log webhook_configs
	red_team_findings software_packages msp_branding`)

// tenantTables are the tables of schema tomkit with a tenant column, partitions left out.
const tenantTables = `SELECT c.oid, c.relname::text AS name, c.relrowsecurity, c.relforcerowsecurity, a.attnum
	FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = 'tenant_id' AND NOT a.attisdropped
	WHERE c.relnamespace = 'tomkit'::regnamespace AND c.relkind IN ('r', 'p') AND NOT c.relispartition`

func TestOverFortyTablesAreProtected(t *testing.T) {
	k := newKit(t)
	tables := k.list(t, "SELECT name FROM ("+tenantTables+") t ORDER BY 1")
	t.Logf("%d tenant tables", len(tables))
	require.Greater(t, len(tables), 40)
	t.Run("each is under forced row-level security with the policies of protect", func(t *testing.T) {
		require.Empty(t, k.list(t, `SELECT t.name FROM (`+tenantTables+`) t
			WHERE NOT (t.relrowsecurity AND t.relforcerowsecurity)
			   OR 3 <> (SELECT count(*) FROM pg_policy p WHERE p.polrelid = t.oid AND p.polpermissive
			            AND p.polname IN ('tomkit_tenant', 'tomkit_system', 'tomkit_migration'))
			   OR EXISTS (SELECT FROM unnest('{tomkit_app,tomkit_msp,tomkit_system}'::regrole[]) r, pg_policy p
			              WHERE p.polrelid = t.oid AND p.polname NOT LIKE 'tomkit\_%' AND (r = ANY (p.polroles) OR 0 = ANY (p.polroles)))`))
		open := k.list(t, `SELECT t.name FROM (`+tenantTables+`) t WHERE NOT EXISTS (SELECT FROM pg_policy p WHERE p.polrelid = t.oid AND p.polname = 'tomkit_msp')
			AND (has_table_privilege('tomkit_msp', t.oid, 'SELECT') OR has_any_column_privilege('tomkit_msp', t.oid, 'SELECT'))`)
		require.Empty(t, open, "an MSP reads by its policy or not at all")
	})
	t.Run("the names of the document are all there", func(t *testing.T) {
		require.Len(t, named, 28)
		have := append(tables, "msp_branding")
		for _, name := range named {
			require.Contains(t, have, name)
		}
	})
	t.Run("keys begin with the tenant", func(t *testing.T) {
		require.Empty(t, k.list(t, `SELECT t.name FROM (`+tenantTables+`) t WHERE NOT EXISTS (SELECT FROM pg_index i WHERE i.indrelid = t.oid AND i.indisprimary)`))
		require.Equal(t, []string{"tomkit.tenant_hosts_pkey"}, k.list(t, `SELECT i.indexrelid::regclass::text FROM (`+tenantTables+`) t
			JOIN pg_index i ON i.indrelid = t.oid AND (i.indisunique OR i.indisexclusion) AND i.indkey[0] <> t.attnum`), "names in the DNS are one's all over the installation")
	})
	t.Run("foreign keys pair tenant with tenant and have an index", func(t *testing.T) {
		const keys = `SELECT k.conrelid, k.conname, k.confrelid, k.conkey, k.confkey, t.attnum, t.name FROM (` + tenantTables + `) t
			JOIN pg_constraint k ON k.conrelid = t.oid AND k.contype = 'f' AND k.conparentid = 0`
		require.Empty(t, k.list(t, `SELECT k.conname FROM (`+keys+`) k
			WHERE k.conkey[1] <> k.attnum
			   OR k.confrelid <> 'tomkit.tenants'::regclass AND NOT EXISTS (SELECT FROM (`+tenantTables+`) r WHERE r.oid = k.confrelid AND k.confkey[1] = r.attnum)`))
		require.Empty(t, k.list(t, `SELECT k.conname FROM (`+keys+`) k
			WHERE NOT EXISTS (SELECT FROM pg_index i WHERE i.indrelid = k.conrelid AND i.indpred IS NULL AND i.indnkeyatts >= cardinality(k.conkey)
			      AND (SELECT array_agg(i.indkey[n] ORDER BY i.indkey[n]) FROM generate_series(0, cardinality(k.conkey) - 1) n)
			        = (SELECT array_agg(c ORDER BY c) FROM unnest(k.conkey) c))`))
	})
	t.Run("every tenant row goes with its tenant, but the ledger's and the dead letters", func(t *testing.T) {
		require.Equal(t, append(kept(), "heartbeat_dead_letters"), k.list(t, `SELECT t.name FROM (`+tenantTables+`) t WHERE NOT EXISTS (
			SELECT FROM pg_constraint k WHERE k.conrelid = t.oid AND k.contype = 'f' AND k.confrelid = 'tomkit.tenants'::regclass AND k.confdeltype = 'c'
			AND k.conkey = ARRAY[t.attnum]) ORDER BY t.name = 'heartbeat_dead_letters', t.name`))
	})
	t.Run("no request may do what policies do not see", func(t *testing.T) {
		require.Empty(t, k.list(t, `SELECT c.oid::regclass || ' ' || r || ' ' || p FROM pg_class c, unnest('{tomkit_app,tomkit_msp,tomkit_system}'::text[]) r,
			unnest('{TRUNCATE,REFERENCES,TRIGGER}'::text[]) p
			WHERE c.relnamespace = 'tomkit'::regnamespace AND c.relkind IN ('r', 'p') AND has_table_privilege(r, c.oid, p)`))
	})
}

// kept are the tables whose rows outlive their tenant.
func kept() (names []string) {
	for _, table := range reference.Tables() {
		if table.Kept {
			names = append(names, bare(table))
		}
	}
	return names
}

// bare is a table's name within schema tomkit.
func bare(table reference.Table) string { return strings.TrimPrefix(table.Name, "tomkit.") }

// created are the tables this room's migrations make.
func created(t *testing.T) (names []string) {
	t.Helper()
	source := reference.Migrations().FS
	files, err := fs.Glob(source, "*.sql")
	require.NoError(t, err)
	for _, file := range files {
		text, err := fs.ReadFile(source, file)
		require.NoError(t, err)
		for line := range strings.Lines(string(text)) {
			if rest, ok := strings.CutPrefix(line, "CREATE TABLE tomkit."); ok {
				name, _, _ := strings.Cut(rest, " ")
				names = append(names, name)
			}
		}
	}
	require.Greater(t, len(names), 40)
	return names
}

func TestEveryValueHasALimit(t *testing.T) {
	k := newKit(t)
	require.Empty(t, k.list(t, `SELECT c.relname || '.' || a.attname FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
		WHERE c.relnamespace = 'tomkit'::regnamespace AND c.relname = ANY ($1)
		  AND a.atttypid IN ('text'::regtype, 'jsonb'::regtype, 'json'::regtype, 'bytea'::regtype, 'text[]'::regtype, 'inet[]'::regtype)
		  AND NOT EXISTS (SELECT FROM pg_constraint k WHERE k.conrelid = c.oid AND k.contype = 'c' AND k.conkey = ARRAY[a.attnum]
		      AND pg_get_constraintdef(k.oid) ~ '(_length\(|= ANY|\{1,64\}\$|cardinality\(|\[0-9\]\{3\}|\{4,10\}\$|\{6\}\$)')`, created(t)))
}

func TestTheRegisterIsComplete(t *testing.T) {
	k := newKit(t)
	tables := reference.Tables()
	processed := map[string]bool{}
	for _, c := range reference.Processing().Categories {
		require.NotEmpty(t, c.Tables, c.ID)
		processed[c.ID] = true
	}
	var names []string
	for _, table := range tables {
		names = append(names, bare(table))
		require.NotEmpty(t, table.Holds.DE, table.Name)
		require.NotEmpty(t, table.Holds.EN, table.Name)
		require.NotEqual(t, table.Holds.DE, table.Holds.EN, table.Name)
		if !processed[table.Category] {
			require.Contains(t, []string{"organisation", "providers", "ledger", "lifecycle"}, table.Category, table.Name)
		}
	}
	require.True(t, slices.IsSorted(names))
	require.Equal(t, k.list(t, `SELECT relname::text FROM pg_class WHERE relnamespace = 'tomkit'::regnamespace AND relkind IN ('r', 'p')
		AND NOT relispartition AND relrowsecurity ORDER BY relname COLLATE "C"`), names, "one line per protected table, in register.go")
	t.Run("every table of this room has a time for retention to count from", func(t *testing.T) {
		require.Empty(t, k.list(t, `SELECT n FROM unnest($1::text[]) n WHERE NOT EXISTS (SELECT FROM pg_attribute a
			WHERE a.attrelid = to_regclass('tomkit.' || n) AND a.atttypid = 'timestamptz'::regtype AND a.attnum > 0 AND NOT a.attisdropped)`, created(t)))
	})
	t.Run("temporary data counts from its end", func(t *testing.T) {
		for _, name := range k.list(t, `SELECT c.relname::text FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = 'expires_at'
			WHERE c.relnamespace = 'tomkit'::regnamespace AND c.relname = ANY ($1) AND c.relname <> 'pending_commands'`, created(t)) {
			require.Equal(t, "expires_at", tables[slices.Index(names, name)].Time, name)
		}
		require.Equal(t, "closed_at", tables[slices.Index(names, "tickets")].Time)
	})
	t.Run("the slice is the caller's", func(t *testing.T) {
		reference.Tables()[0].Name = "x"
		require.Equal(t, names[0], bare(reference.Tables()[0]))
	})
}
