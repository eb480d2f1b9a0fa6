package migrate

import (
	"context"
	"time"

	"github.com/pioneerdesk/tomkit/rls"
)

// State is what is known of one migration.
type State struct {
	// Source is the name of its rls.Source, File its name there and Version the number it starts with.
	Source, File string
	Version      int64
	// AppliedAt is when it was applied; zero if it is pending.
	AppliedAt time.Time
}

// Pending reports whether the migration is still to be applied.
func (s State) Pending() bool { return s.AppliedAt.IsZero() }

// Status lists the migrations of sources in order, applied or pending. It changes nothing, in a
// read-only session, and takes no lock.
func Status(ctx context.Context, migratorURL string, sources ...rls.Source) ([]State, error) {
	r, err := connectReadOnly(ctx, migratorURL, sources)
	if err != nil {
		return nil, err
	}
	defer r.conn.Close(context.WithoutCancel(ctx))
	var states []State
	for _, src := range r.sources {
		files, err := readFiles(src)
		if err != nil {
			return nil, err
		}
		applied, err := r.history(ctx, src)
		if err != nil {
			return nil, err
		}
		for _, f := range files {
			states = append(states, State{Source: src.Name, File: f.name, Version: f.version, AppliedAt: applied[f.version]})
		}
	}
	return states, nil
}
