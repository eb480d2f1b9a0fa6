package pgsink

import (
	"embed"
	"io/fs"

	"github.com/pioneerdesk/tomkit/rls"
)

//go:embed migrations/*.sql
var files embed.FS

// Migrations returns the tables of this room. They need those of rls and rls/tenant.
func Migrations() rls.Source {
	sub, err := fs.Sub(files, "migrations")
	if err != nil {
		panic(err) // the embedded directory always exists
	}
	return rls.Source{Name: "heartbeat", FS: sub}
}
