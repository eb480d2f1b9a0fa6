package erasure

import (
	"embed"
	"io/fs"

	"github.com/pioneerdesk/tomkit/rls"
)

//go:embed migrations/*.sql
var migrations embed.FS

// Migrations returns the room's schema. It needs those of rls and rls/tenant before it.
func Migrations() rls.Source {
	sub, err := fs.Sub(migrations, "migrations")
	if err != nil { // cannot happen: the directory is embedded above
		panic(err)
	}
	return rls.Source{Name: "erasure", FS: sub, Owner: rls.RoleOwner}
}
