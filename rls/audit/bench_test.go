package audit_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/pioneerdesk/tomkit/internal/pgtest"
	"github.com/pioneerdesk/tomkit/rls"
	"github.com/pioneerdesk/tomkit/rls/audit"
	"github.com/pioneerdesk/tomkit/rls/tenant"
)

// BenchmarkRun500Tables audits 500 protected tables with composite keys and foreign keys as the request login: cold on a new
// connection each time, which is what a start pays, and warm on one.
func BenchmarkRun500Tables(b *testing.B) {
	db := pgtest.New(b, rls.Migrations(), tenant.Migrations())
	ctx, super := context.Background(), db.Superuser(b)
	for i := range 500 {
		_, err := super.Exec(ctx, fmt.Sprintf(`CREATE TABLE tomkit.t%[1]d (tenant_id uuid NOT NULL REFERENCES tomkit.tenants (id), id uuid NOT NULL,
			a text, b text, c bigint, d timestamptz, parent uuid, PRIMARY KEY (tenant_id, id), UNIQUE (tenant_id, a),
			FOREIGN KEY (tenant_id, parent) REFERENCES tomkit.t%[1]d); ALTER TABLE tomkit.t%[1]d OWNER TO tomkit_owner; SELECT tomkit.protect('tomkit.t%[1]d')`, i))
		if err != nil {
			b.Fatal(err)
		}
	}
	run := func(b *testing.B, conn *pgx.Conn) {
		r, err := audit.Run(ctx, conn, audit.Options{})
		if err != nil || r.Max() != 0 || r.Tables < 500 {
			b.Fatal(err, r.AtLeast(audit.Info), r.Tables)
		}
	}
	connect := func(b *testing.B) *pgx.Conn {
		conn, err := pgx.Connect(ctx, db.URL(rls.RoleApp))
		if err != nil {
			b.Fatal(err)
		}
		return conn
	}
	b.Run("cold", func(b *testing.B) {
		for b.Loop() {
			b.StopTimer()
			conn := connect(b)
			b.StartTimer()
			run(b, conn)
			b.StopTimer()
			conn.Close(ctx)
			b.StartTimer()
		}
	})
	b.Run("warm", func(b *testing.B) {
		conn := connect(b)
		defer conn.Close(ctx)
		for b.Loop() {
			run(b, conn)
		}
	})
	b.Run("rules alone", func(b *testing.B) {
		conn := connect(b)
		defer conn.Close(ctx)
		s, err := audit.Load(ctx, conn)
		if err != nil {
			b.Fatal(err)
		}
		for b.Loop() {
			audit.Judge(s, audit.Options{})
		}
	})
}
