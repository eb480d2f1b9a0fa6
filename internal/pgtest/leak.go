package pgtest

import "go.uber.org/goleak"

// LeakOptions tells goleak about the goroutines of the private server, which live as
// long as the process.
func LeakOptions() []goleak.Option {
	return []goleak.Option{
		goleak.IgnoreAnyFunction("github.com/pioneerdesk/tomkit/internal/pglocal.(*Server).holdThread"),
	}
}
