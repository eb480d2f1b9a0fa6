package migrate

import (
	"context"

	"github.com/pioneerdesk/tomkit/rls"
)

// Step is a migration that is still to be applied.
type Step struct {
	// Source is the name of its rls.Source, File its name there and Version the number it starts with.
	Source  string `json:"source"`
	File    string `json:"file"`
	Version int64  `json:"version"`
	// Statements is how many it has.
	Statements int `json:"statements"`
	// Transactional reports whether it applies as a whole or not at all.
	Transactional bool `json:"transactional"`
}

// Plan lists what [Up] would apply, in order; nothing if the database is up to date. It fails like Up if the history is
// not what the files tell. It changes nothing, in a read-only session, and waits for no other process: what one of them
// is applying at the moment is still in the plan.
func Plan(ctx context.Context, migratorURL string, sources ...rls.Source) ([]Step, error) {
	r, err := connectReadOnly(ctx, migratorURL, sources)
	if err != nil {
		return nil, err
	}
	defer r.conn.Close(context.WithoutCancel(ctx))
	var plan []Step
	for _, src := range r.sources {
		files, err := readFiles(src)
		if err != nil {
			return nil, err
		}
		applied, err := r.checkedHistory(ctx, src, files)
		if err != nil {
			return nil, err
		}
		rec, err := record(ctx, src, files)
		if err != nil {
			return nil, err
		}
		for _, m := range rec.migrations {
			if _, ok := applied[m.version]; !ok {
				plan = append(plan, Step{Source: src.Name, File: m.name, Version: m.version, Statements: m.body, Transactional: m.transactional})
			}
		}
	}
	return plan, nil
}

func connectReadOnly(ctx context.Context, url string, sources []rls.Source) (*run, error) {
	r, err := connect(ctx, url, sources)
	if err != nil {
		return nil, err
	}
	if _, err := r.conn.Exec(ctx, "SET default_transaction_read_only = on"); err != nil {
		r.conn.Close(context.WithoutCancel(ctx))
		return nil, err
	}
	return r, nil
}
