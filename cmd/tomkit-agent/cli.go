package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/alecthomas/kong"

	"github.com/pioneerdesk/tomkit/heartbeat/report"
)

const about = `Measures this machine (processor, memory, file systems, network) and reports to a tomkit server over HTTPS.

First enrol once with the one-time token that an administrator made for this device, then run. No host name leaves the machine after enrolment, and addresses, users and processes never do.

Exit status: 0 success or graceful stop, 1 failure, 2 wrong usage.`

type cli struct {
	Enrol   enrolCmd         `cmd:"" help:"Make this machine a device of a tenant, with a one-time token."`
	Run     runCmd           `cmd:"" help:"Report until stopped (SIGTERM or Ctrl-C)."`
	Once    onceCmd          `cmd:"" help:"Measure once and print the sample as JSON. Nothing is sent."`
	Version kong.VersionFlag `help:"Print the version and exit."`
}

// process is what a command has of the world.
type process struct {
	ctx            context.Context
	env            map[string]string
	stdin          io.Reader
	stdout, stderr io.Writer
}

// usageError is a mistake of the caller's.
type usageError struct{ text string }

func (e usageError) Error() string { return e.text }

func usagef(format string, args ...any) error { return usageError{fmt.Sprintf(format, args...)} }

// exited carries kong's wish to end the process through its stack.
type exited int

// run executes one command line and returns the exit status.
func run(ctx context.Context, args, env []string, stdin io.Reader, stdout, stderr io.Writer) (code int) {
	p := &process{ctx: ctx, env: environment(env), stdin: stdin, stdout: stdout, stderr: stderr}
	defer func() {
		switch e := recover().(type) {
		case nil:
		case exited:
			code = int(e)
		default:
			panic(e)
		}
	}()
	err := p.execute(args)
	switch {
	case err == nil:
		return 0
	case errors.As(err, new(usageError)), errors.As(err, new(*kong.ParseError)), errors.Is(err, report.ErrConfig):
		fmt.Fprintf(stderr, "tomkit-agent: %s (see tomkit-agent --help)\n", oneLine(err))
		return 2
	default:
		fmt.Fprintf(stderr, "tomkit-agent: %s\n", oneLine(err))
		return 1
	}
}

func (p *process) execute(args []string) error {
	parser, err := kong.New(&cli{},
		kong.Name("tomkit-agent"),
		kong.Description(about),
		kong.Writers(p.stdout, p.stderr),
		kong.Exit(func(code int) { panic(exited(code)) }),
		kong.Vars{"version": version(), "interval": time.Minute.String(), "least": report.MinInterval.String()},
		kong.ConfigureHelp(kong.HelpOptions{Compact: true, WrapUpperBound: 100}),
		kong.Resolvers(kong.ResolverFunc(p.fromEnvironment)),
	)
	if err != nil {
		return err
	}
	if len(args) == 0 {
		args = []string{"--help"}
	}
	command, err := parser.Parse(args)
	if err != nil {
		return err
	}
	return command.Run(p)
}

// fromEnvironment finds the variable named in a flag's var tag. It is kong's env tag over the given environment instead
// of the process's.
func (p *process) fromEnvironment(_ *kong.Context, _ *kong.Path, flag *kong.Flag) (any, error) {
	if value, ok := p.env[flag.Tag.Get("var")]; ok && value != "" {
		return value, nil
	}
	return nil, nil
}

func environment(pairs []string) map[string]string {
	env := make(map[string]string, len(pairs))
	for _, pair := range pairs {
		if name, value, ok := strings.Cut(pair, "="); ok && name != "" {
			env[name] = value
		}
	}
	return env
}

func oneLine(err error) string { return strings.Join(strings.Fields(err.Error()), " ") }
