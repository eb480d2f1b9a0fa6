package demo

import (
	"context"
	"net/http"
)

// attackReplay presents what was used before.
func (d *demo) attackReplay(ctx context.Context) error {
	w := &d.world
	d.try(ctx, "T1.2.1-03", "a step token that was used", "401", func(ctx context.Context) (string, bool, error) {
		a, err := w.browsers[w.admin].code(ctx, w.usedStep, w.usedCode)
		return a.String(), a.Status == http.StatusUnauthorized && a.Code == "step_token", err
	})
	d.try(ctx, "T1.2.1-01", "a one-time code that was used, with a fresh step token", "401", func(ctx context.Context) (string, bool, error) {
		b, err := newBrowser(d.server.URL(), d.server.Authority.Pool())
		if err != nil {
			return "", false, err
		}
		step, err := b.stepToken(ctx, w.admin)
		if err != nil {
			return "", false, err
		}
		a, err := b.code(ctx, step, w.usedCode)
		return a.String(), a.Status == http.StatusUnauthorized && a.Code == "code" && b.token() == "", err
	})
	d.try(ctx, "T1.2.1-03", "a step token in another browser", "401", func(ctx context.Context) (string, bool, error) {
		victim, err := newBrowser(d.server.URL(), d.server.Authority.Pool())
		if err != nil {
			return "", false, err
		}
		thief, err := newBrowser(d.server.URL(), d.server.Authority.Pool())
		if err != nil {
			return "", false, err
		}
		step, err := victim.stepToken(ctx, w.reader)
		if err != nil {
			return "", false, err
		}
		a, err := thief.code(ctx, step, "000000")
		return a.String(), a.Status == http.StatusUnauthorized && a.Code == "step_token", err
	})
	return nil
}
