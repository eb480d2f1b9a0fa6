package integration_test

import (
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/stretchr/testify/require"
)

// TestMergeTouchesNoForeignRow runs MERGE statements that name no column of their target. PostgreSQL applies no SELECT policy to
// them, so they match the rows of all tenants and are refused at the first foreign one. Those that name a column match own rows.
func TestMergeTouchesNoForeignRow(t *testing.T) {
	const refused = -1
	for sql, rows := range map[string]int{
		`true WHEN MATCHED THEN DELETE`:                                                                           refused,
		`true WHEN MATCHED THEN UPDATE SET label = 'taken'`:                                                       refused,
		`true WHEN MATCHED THEN UPDATE SET tenant_id = '{ward}'`:                                                  refused,
		`s.one = 1 WHEN MATCHED AND s.one = 2 THEN UPDATE SET label = 'taken' WHEN MATCHED THEN DELETE`:           refused,
		`b.tenant_id = '{ward}' WHEN MATCHED THEN UPDATE SET tenant_id = '{lab}'`:                                 refused,
		`b.tenant_id = '{lab}' WHEN NOT MATCHED THEN INSERT VALUES ('{lab}', gen_random_uuid(), 'planted')`:       refused,
		`b.label <> '' WHEN MATCHED THEN UPDATE SET label = 'ours'`:                                               bedsEach,
		`true WHEN MATCHED AND b.label <> '' THEN DELETE`:                                                         bedsEach,
		`b.ctid IS NOT NULL WHEN MATCHED THEN DELETE`:                                                             bedsEach,
		`true WHEN MATCHED AND b.tenant_id = '{lab}' THEN DELETE`:                                                 0,
		`true WHEN MATCHED AND b.label = '' THEN UPDATE SET tenant_id = '{lab}' WHEN MATCHED THEN DELETE`:         bedsEach,
		`true WHEN MATCHED THEN DO NOTHING WHEN NOT MATCHED THEN INSERT VALUES ('{ward}', gen_random_uuid(), '')`: 0,
	} {
		t.Run(sql, func(t *testing.T) {
			h := newHospital(t)
			tag, err := h.db.Tenant(h.ward).Exec(t.Context(), `MERGE INTO tomkit.beds b USING (SELECT 1 AS one) s ON `+h.named(sql))
			if rows == refused {
				var pg *pgconn.PgError
				require.ErrorAs(t, err, &pg)
				require.Equal(t, "42501", pg.Code)
			} else {
				require.NoError(t, err)
				require.EqualValues(t, rows, tag.RowsAffected())
			}
			for _, other := range []uuid.UUID{h.lab, h.remote} {
				require.Equal(t, bedsEach, beds(t, h.db.Tenant(other), ``))
				require.Equal(t, bedsEach, beds(t, h.db.Tenant(other), `WHERE label LIKE 'bed %'`))
			}
		})
	}
}

// named replaces the names of tenants.
func (h hospital) named(sql string) string {
	return strings.NewReplacer("{ward}", h.ward.String(), "{lab}", h.lab.String()).Replace(sql)
}
