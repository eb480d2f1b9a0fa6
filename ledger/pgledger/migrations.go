package pgledger

import (
	"embed"
	"io/fs"

	"github.com/pioneerdesk/tomkit/rls"
)

//go:embed migrations/*.sql
var migrationFiles embed.FS

// Migrations returns the ledger's tables and functions, owned by rls.RoleLedger. They need rls.Migrations.
func Migrations() rls.Source {
	files, err := fs.Sub(migrationFiles, "migrations")
	if err != nil {
		panic("pgledger: embedded migrations: " + err.Error()) // a constant, well-formed path
	}
	return rls.Source{Name: "ledger", FS: files, Owner: rls.RoleLedger}
}
