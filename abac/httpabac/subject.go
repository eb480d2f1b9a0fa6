package httpabac

import (
	"context"

	"github.com/pioneerdesk/tomkit/abac"
)

type subjectKey struct{}

// WithSubject returns a context that carries sub, for the server's authentication middleware: it verifies the token, makes
// the subject, and calls the guarded handler with this context. Without a valid token it passes the request on as it is.
func WithSubject(ctx context.Context, sub *abac.Subject) context.Context {
	return context.WithValue(ctx, subjectKey{}, sub)
}

// SubjectFrom returns the subject in ctx, nil if there is none. It must not be changed.
func SubjectFrom(ctx context.Context) *abac.Subject {
	sub, _ := ctx.Value(subjectKey{}).(*abac.Subject)
	return sub
}
