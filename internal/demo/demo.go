package demo

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/pioneerdesk/tomkit/internal/server"
)

// Config tunes a run.
type Config struct {
	// Once ends the run after the checks. Otherwise the server goes on until ctx ends.
	Once bool
	// JSON writes one JSON object per line in place of text; Color paints the text.
	JSON, Color bool
	// Listen is the server's address. Empty means a free port of localhost.
	Listen string
	// Out receives the progress and the summary.
	Out io.Writer
	// Version is shown at the start and in the heartbeats. Empty means "devel".
	Version string
}

// ErrFailed says that a check failed; the report tells which.
var ErrFailed = errors.New("demo: a control does not hold")

// demo is one run.
type demo struct {
	*printer
	cfg    Config
	dir    string
	log    *os.File // the server's
	server *server.Server
	world  world
	super  *pgx.Conn // the database's superuser: the attacker nothing inside the database can stop
}

// stage is a part of the run.
type stage struct {
	title string
	run   func(context.Context) error
}

// stages are the parts in their order: later ones use what earlier ones made.
func (d *demo) stages() []stage {
	return []stage{
		{"Two tenants under one managed service provider, people in four roles", d.populate},
		{"Sign-in over HTTPS: password, step token, one-time code", d.signIn},
		{"This machine's own telemetry", d.telemetry},
		{"Attack: the other tenant's rows", d.attackIsolation},
		{"Attack: forged, expired, revoked tokens", d.attackTokens},
		{"Attack: what the role does not permit", d.attackPolicy},
		{"Attack: the same credential twice", d.attackReplay},
		{"Attack: the ledger, from every login", d.attackLedger},
		{"Attack: the ledger, by a database superuser", d.attackAsSuperuser},
	}
}

// Run starts everything, runs all checks and prints them. It returns [ErrFailed] if a check failed, another error if the checks could
// not be run. Everything it made lies in a temporary directory and is removed.
func Run(ctx context.Context, cfg Config) (Report, error) { return run(ctx, cfg, (*demo).stages) }

func run(ctx context.Context, cfg Config, stages func(*demo) []stage) (_ Report, err error) {
	if cfg.Version == "" {
		cfg.Version = "devel"
	}
	d := &demo{cfg: cfg, printer: &printer{out: cfg.Out, json: cfg.JSON, color: cfg.Color, began: time.Now()}}
	if d.dir, err = os.MkdirTemp("", "tomkit-demo-"); err != nil {
		return Report{}, fmt.Errorf("demo: %w", err)
	}
	defer os.RemoveAll(d.dir)
	if err := os.Chmod(d.dir, 0o711); err != nil { // the private PostgreSQL's account passes through
		return Report{}, fmt.Errorf("demo: %w", err)
	}

	serving, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	ended, err := d.start(ctx, serving)
	if err != nil {
		return Report{}, err
	}
	defer func() {
		stop()
		err = errors.Join(err, <-ended, d.close(context.WithoutCancel(ctx)))
	}()
	for _, stage := range stages(d) {
		d.stage("%s", stage.title)
		if err := stage.run(ctx); err != nil {
			return d.summary(), fmt.Errorf("demo: %s: %w", stage.title, err)
		}
	}
	report := d.summary()
	d.next()
	if !cfg.Once && report.Failed == 0 {
		d.howToSignIn()
		select {
		case <-ctx.Done():
		case err := <-ended: // it should not end by itself
			ended <- err
		}
	}
	if report.Failed > 0 {
		return report, ErrFailed
	}
	return report, nil
}

// start brings up database and server; ended receives the server's end once.
func (d *demo) start(ctx, serving context.Context) (ended chan error, err error) {
	d.stage("tomkit %s: starting a private PostgreSQL and the server", d.cfg.Version)
	if d.log, err = os.Create(filepath.Join(d.dir, "server.log")); err != nil {
		return nil, fmt.Errorf("demo: %w", err)
	}
	listen := d.cfg.Listen
	if listen == "" {
		listen = "localhost:0"
	}
	began := time.Now()
	d.server, err = server.Open(ctx, server.Config{
		Listen: listen, DataDir: d.dir, Operator: "demo.example", Log: slog.New(slog.NewTextHandler(d.log, nil)), CheckpointEvery: 200 * time.Millisecond,
	})
	if err != nil {
		return nil, errors.Join(err, d.log.Close())
	}
	version, err := d.reach(ctx)
	if err != nil {
		return nil, errors.Join(err, d.close(context.WithoutCancel(ctx)))
	}
	ended = make(chan error, 1)
	go func() { ended <- d.server.Run(serving) }()
	d.fact("PostgreSQL %s on a unix socket only, no TCP port", version)
	d.fact("server on %s, ready in %.2f s", d.server.URL(), time.Since(began).Seconds())
	d.fact("logins tomkit_app, tomkit_msp, tomkit_system, tomkit_migrator, tomkit_backup; the tables' owners cannot log in")
	return ended, nil
}

// reach opens the listener and the superuser's connection, and returns the database's version.
func (d *demo) reach(ctx context.Context) (version string, err error) {
	if err := d.server.Listen(ctx); err != nil {
		return "", err
	}
	if d.super, err = pgx.Connect(ctx, d.server.Superuser); err != nil {
		return "", fmt.Errorf("demo: %w", err)
	}
	err = d.super.QueryRow(ctx, "SHOW server_version").Scan(&version)
	return version, err
}

func (d *demo) close(ctx context.Context) error {
	var err error
	if d.super != nil {
		err = d.super.Close(ctx)
	}
	return errors.Join(err, d.server.Close(ctx), d.log.Close())
}

// try runs one check. An error of see is what was seen: a check never ends the run.
func (d *demo) try(ctx context.Context, control, name, expected string, see func(context.Context) (seen string, ok bool, err error)) {
	began := time.Now()
	seen, ok, err := see(ctx)
	if err != nil {
		seen, ok = "error: "+err.Error(), false
	}
	d.check(Check{Control: control, Name: name, Expected: expected, Seen: seen, OK: ok, Took: time.Since(began)})
}

// superCount counts as the superuser, whom no policy binds.
func (d *demo) superCount(ctx context.Context, sql string, args ...any) (n int, err error) {
	err = d.super.QueryRow(ctx, sql, args...).Scan(&n)
	return n, err
}

// world is what the demonstration is about.
type world struct {
	operator, msp       uuid.UUID
	clinic, utility     uuid.UUID
	superadmin          *person
	admin, tech, reader *person
	otherAdmin          *person
	browsers            map[*person]*browser
	usedStep, usedCode  string
	device              uuid.UUID
}
