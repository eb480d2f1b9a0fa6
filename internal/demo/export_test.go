package demo

import (
	"context"

	"github.com/jackc/pgx/v5"
)

// RunSabotaged is Run with more parts, each before the part whose title it is given under: they get the database's superuser and may
// break controls.
func RunSabotaged(ctx context.Context, cfg Config, sabotage map[string]func(context.Context, *pgx.Conn) error) (Report, error) {
	return run(ctx, cfg, func(d *demo) (list []stage) {
		for _, s := range d.stages() {
			if harm := sabotage[s.title]; harm != nil {
				list = append(list, stage{"Sabotage", func(ctx context.Context) error { return harm(ctx, d.super) }})
			}
			list = append(list, s)
		}
		return list
	})
}

// RunFirst is Run with the first n parts only.
func RunFirst(ctx context.Context, cfg Config, n int) (Report, error) {
	return run(ctx, cfg, func(d *demo) []stage { return d.stages()[:n] })
}
