// Package pglocal runs a private PostgreSQL server from binaries that are
// already installed on the machine.
//
// The server listens on a unix socket in a directory with mode 0700 and on
// nothing else. Whoever may enter the directory may connect as anybody, so
// the directory is the access control: it belongs to the user who runs the
// server. A process that runs as root gives the server to the account
// postgres (nobody where there is none), because initdb refuses root.
//
//	srv, err := pglocal.Start(ctx, pglocal.Config{Dir: "/var/lib/tomkit/db"})
//	if err != nil {
//		return err
//	}
//	defer srv.Stop(context.Background())
//	pool, err := pgxpool.New(ctx, srv.URL("postgres", "postgres"))
//
// # Life and death
//
// The server never outlives the process that started it. Stop ends it in
// order. If the process dies without Stop (SIGINT, SIGTERM, a panic, SIGKILL)
// two independent lines end the server: on Linux the kernel signals the
// postmaster (PR_SET_PDEATHSIG), and on every platform a small shell process
// waits on a pipe that closes with the parent, signals the postmaster, waits
// until it is gone and removes what was temporary. Both run in sessions of
// their own, so that Ctrl-C in a terminal reaches the parent and not them.
//
// # Directories
//
// A named directory is kept: the next Start finds its data again, after a
// crash as well. It must be empty or made by this package. One process at a
// time may use it. An empty Config.Dir means a temporary directory, removed
// with the server.
//
// The first start on a machine runs initdb; its result is kept in the user's
// cache directory and copied by later starts, which then take a fraction of a
// second. A cache that cannot be written, or that others could write, is not used.
//
// The package works on Linux, macOS and the BSDs; elsewhere Start returns
// ErrUnsupported.
//
// Sources: PostgreSQL 15 manual, chapters 19.3 (starting), 19.5 (shutting
// down), 21.1 (pg_hba.conf); prctl(2), unix(7).
package pglocal
