package migrate

import (
	"context"
	"database/sql"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/database"

	"github.com/pioneerdesk/tomkit/rls"
)

// store is goose's version table, with a row in the table of checksums beside each version. That table is RoleOwner's.
type store struct {
	database.Store
	src  rls.Source
	sums map[int64]string
}

func newStore(src rls.Source, files []file) (*store, error) {
	versions, err := database.NewStore(database.DialectPostgres, versionTable(src))
	if err != nil {
		return nil, err
	}
	s := &store{Store: versions, src: src, sums: make(map[int64]string)}
	for _, f := range files {
		s.sums[f.version] = fmt.Sprintf("%x", f.sum)
	}
	return s, nil
}

func versionTable(src rls.Source) string { return "tomkit.migrations_" + src.Name }

// TableExists is what goose asks before it creates the version table.
func (s *store) TableExists(ctx context.Context, db database.DBTxConn) (exists bool, err error) {
	err = db.QueryRowContext(ctx, "SELECT "+tableExists("$1"), "migrations_"+s.src.Name).Scan(&exists)
	return exists, err
}

// Insert notes that a version was applied, in the migration's transaction if it has one.
func (s *store) Insert(ctx context.Context, db database.DBTxConn, req database.InsertRequest) error {
	if err := s.Store.Insert(ctx, db, req); err != nil || req.Version == 0 {
		return err
	}
	become := "SET ROLE "
	if _, ok := db.(*sql.Tx); ok {
		become = "SET LOCAL ROLE "
	}
	for _, statement := range []string{
		become + pgx.Identifier{rls.RoleOwner}.Sanitize(),
		// The name is of sourceName's letters and the sum hexadecimal.
		fmt.Sprintf(`INSERT INTO tomkit.migration_checksums VALUES ('%s', %d, '\x%s')`, s.src.Name, req.Version, s.sums[req.Version]),
		become + pgx.Identifier{s.src.Owner}.Sanitize(),
	} {
		if _, err := db.ExecContext(ctx, statement); err != nil {
			return err
		}
	}
	return nil
}

func gooseProvider(src rls.Source, db *sql.DB, store database.Store) (*goose.Provider, error) {
	p, err := goose.NewProvider(goose.DialectCustom, db, src.FS, goose.WithStore(store),
		goose.WithDisableGlobalRegistry(true), goose.WithLogger(goose.NopLogger()))
	if err != nil {
		return nil, fmt.Errorf("migrate: %s: %w", src.Name, err)
	}
	return p, nil
}
