package pgtest

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/pioneerdesk/tomkit/rls"
)

const (
	templatePrefix = "tomkit_tpl_" // + hash of the migrations
	clonePrefix    = "tomkit_t_"   // + unix time, hexadecimal + "_" + random
)

// Leftovers of killed processes on a shared server are dropped when they are this old.
const (
	cloneAge    = time.Hour
	templateAge = 7 * 24 * time.Hour
)

// templateName is a hash over everything that the migrations are made of.
func templateName(sources []rls.Source) (string, error) {
	h := sha256.New()
	item := func(b []byte) {
		h.Write(binary.BigEndian.AppendUint64(nil, uint64(len(b))))
		h.Write(b)
	}
	for _, s := range sources {
		item([]byte(s.Name))
		item([]byte(s.Owner))
		err := fs.WalkDir(s.FS, ".", func(name string, entry fs.DirEntry, err error) error {
			if err != nil || entry.IsDir() {
				return err
			}
			text, err := fs.ReadFile(s.FS, name)
			item([]byte(name))
			item(text)
			return err
		})
		if err != nil {
			return "", fmt.Errorf("pgtest: read migrations of %s: %w", s.Name, err)
		}
	}
	return templatePrefix + hex.EncodeToString(h.Sum(nil)[:12]), nil
}

// template makes the database that tests with these migrations are cloned from, once per server.
func (s *server) template(ctx context.Context, sources []rls.Source) (string, error) {
	name, err := templateName(sources)
	if err != nil {
		return "", err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	err, known := s.templates[name]
	if !known {
		err = s.locked(ctx, func(conn *pgx.Conn) error { return s.makeTemplate(ctx, conn, name, sources) })
		s.templates[name] = err
	}
	return name, err
}

// makeTemplate marks the database as a template when it is complete; what a killed
// process left half made has no mark and is made anew.
func (s *server) makeTemplate(ctx context.Context, conn *pgx.Conn, name string, sources []rls.Source) error {
	var done bool
	err := conn.QueryRow(ctx, `SELECT datistemplate FROM pg_database WHERE datname = $1`, name).Scan(&done)
	if err != nil && !errors.Is(err, pgx.ErrNoRows) {
		return fmt.Errorf("pgtest: template: %w", err)
	}
	if !done {
		if _, err := conn.Exec(ctx, `DROP DATABASE IF EXISTS `+name+` WITH (FORCE)`); err != nil {
			return fmt.Errorf("pgtest: template: %w", err)
		}
		if _, err := conn.Exec(ctx, `CREATE DATABASE `+name+` TEMPLATE template0 ENCODING 'UTF8' LC_COLLATE 'C'`+s.strategy()); err != nil {
			return fmt.Errorf("pgtest: template: %w", err)
		}
		if err := s.fill(ctx, name, sources); err != nil {
			return err
		}
		if _, err := conn.Exec(ctx, `ALTER DATABASE `+name+` IS_TEMPLATE true ALLOW_CONNECTIONS false`); err != nil {
			return fmt.Errorf("pgtest: template: %w", err)
		}
	}
	if s.local {
		return nil
	}
	_, err = conn.Exec(ctx, `COMMENT ON DATABASE `+name+` IS '`+strconv.FormatInt(time.Now().Unix(), 16)+`'`)
	if err != nil {
		return fmt.Errorf("pgtest: template: %w", err)
	}
	return nil
}

// strategy copies whole files where nobody waits for a disk; elsewhere PostgreSQL's
// default writes the pages to its log and needs no checkpoint.
func (s *server) strategy() string {
	if s.local {
		return ` STRATEGY file_copy`
	}
	return ""
}

// clone makes a test's database.
func (s *server) clone(ctx context.Context, template string) (string, error) {
	conn, err := s.connect(ctx)
	if err != nil {
		return "", err
	}
	defer conn.Close(context.WithoutCancel(ctx))
	name := clonePrefix + strconv.FormatInt(time.Now().Unix(), 16) + "_" + strings.ToLower(rand.Text()[:10])
	if _, err := conn.Exec(ctx, `CREATE DATABASE `+name+` TEMPLATE `+template+s.strategy()); err != nil {
		return "", fmt.Errorf("pgtest: clone: %w", err)
	}
	return name, nil
}

// drop removes a test's database together with the connections it still has.
func (s *server) drop(ctx context.Context, name string) error {
	conn, err := s.connect(ctx)
	if err != nil {
		return err
	}
	defer conn.Close(context.WithoutCancel(ctx))
	if _, err := conn.Exec(ctx, `DROP DATABASE IF EXISTS `+name+` WITH (FORCE)`); err != nil {
		return fmt.Errorf("pgtest: drop: %w", err)
	}
	return nil
}

// sweep drops what killed processes left on a shared server, and templates that
// nobody has used for a week.
func sweep(ctx context.Context, conn *pgx.Conn) error {
	rows, err := conn.Query(ctx, `SELECT datname, coalesce(shobj_description(oid, 'pg_database'), '') FROM pg_database
		WHERE starts_with(datname, $1) OR starts_with(datname, $2)`, clonePrefix, templatePrefix)
	if err != nil {
		return fmt.Errorf("pgtest: sweep: %w", err)
	}
	type found struct{ Name, Used string }
	all, err := pgx.CollectRows(rows, pgx.RowToStructByPos[found])
	if err != nil {
		return fmt.Errorf("pgtest: sweep: %w", err)
	}
	for _, f := range all {
		age, stamp := templateAge, f.Used
		if rest, ok := strings.CutPrefix(f.Name, clonePrefix); ok {
			age = cloneAge
			stamp, _, _ = strings.Cut(rest, "_")
		}
		made, err := strconv.ParseInt(stamp, 16, 64)
		if err != nil || time.Since(time.Unix(made, 0)) < age {
			continue
		}
		name := pgx.Identifier{f.Name}.Sanitize()
		if age == templateAge {
			if _, err := conn.Exec(ctx, `ALTER DATABASE `+name+` IS_TEMPLATE false`); err != nil {
				return fmt.Errorf("pgtest: sweep: %w", err)
			}
		}
		if _, err := conn.Exec(ctx, `DROP DATABASE IF EXISTS `+name+` WITH (FORCE)`); err != nil {
			return fmt.Errorf("pgtest: sweep: %w", err)
		}
	}
	return nil
}
