// Package cli runs the command lines of tomkit's programs in one way: help that teaches, one line on stderr for an error, and exit
// codes that scripts can rely on.
package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime/debug"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/alecthomas/kong"
)

// Exit codes. A program may give other codes above these a meaning of its own.
const (
	OK      = 0 // done
	Failure = 1 // the work failed
	Usage   = 2 // the command line or the input cannot be used
)

// ExitError is an error with an exit code of its own.
type ExitError struct {
	Code int
	Err  error
}

// Error implements error.
func (e *ExitError) Error() string { return e.Err.Error() }

// Unwrap returns the cause.
func (e *ExitError) Unwrap() error { return e.Err }

// UsageError returns an error that ends the program with [Usage].
func UsageError(format string, args ...any) error {
	return &ExitError{Code: Usage, Err: fmt.Errorf(format, args...)}
}

// Program is a command line.
type Program struct {
	// Name is the program's name; Summary what it is for, in one line; Help what a newcomer needs to know, in paragraphs.
	Name, Summary, Help string
	// Grammar is a pointer to the struct kong reads; commands have a Run method.
	Grammar any
	// Stdout and Stderr receive the output.
	Stdout, Stderr io.Writer
}

// exit carries kong's wish to end the program up to Run.
type exit int

// Run parses args (without the program's name), runs the chosen command with ctx and values bound to its Run method, and returns
// the exit code.
func (p Program) Run(ctx context.Context, args []string, values ...any) (code int) {
	defer func() {
		switch v := recover().(type) {
		case nil:
		case exit:
			code = int(v)
		default:
			panic(v)
		}
	}()
	return p.run(ctx, args, values)
}

func (p Program) run(ctx context.Context, args []string, values []any) int {
	options := []kong.Option{
		kong.Name(p.Name), kong.Description(p.Summary + "\n\n" + p.Help), kong.Writers(p.Stdout, p.Stderr),
		kong.Exit(func(code int) { panic(exit(code)) }),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true, WrapUpperBound: 110}),
		kong.Vars{"version": Version()}, kong.BindTo(ctx, (*context.Context)(nil)), kong.Bind(values...),
	}
	parser, err := kong.New(p.Grammar, options...)
	if err == nil {
		err = kong.Visit(parser.Model, dropEmpty)
	}
	if err != nil {
		return p.fail(Failure, err)
	}
	command, err := parser.Parse(args)
	if err != nil {
		code := p.fail(Usage, err)
		fmt.Fprintf(p.Stderr, "%s: see %s --help\n", p.Name, p.Name)
		return code
	}
	if err := command.Run(); err != nil {
		var coded *ExitError
		if errors.As(err, &coded) {
			return p.fail(coded.Code, err)
		}
		return p.fail(Failure, err)
	}
	return OK
}

// dropEmpty makes variables that are set to nothing count as not set, which is how unit files and compose files leave one out. To kong
// an empty path would be the working directory.
func dropEmpty(node kong.Visitable, next kong.Next) error {
	if value, ok := node.(*kong.Value); ok && value.Tag != nil {
		value.Tag.Envs = slices.DeleteFunc(value.Tag.Envs, func(name string) bool { return os.Getenv(name) == "" })
	}
	return next(nil)
}

func (p Program) fail(code int, err error) int {
	fmt.Fprintf(p.Stderr, "%s: %s\n", p.Name, oneLine(err.Error()))
	return code
}

// oneLine joins the lines of joined errors and of those that span several by themselves, each once, and takes control characters out:
// parts of the text may come from another machine.
func oneLine(text string) string {
	var lines []string
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if line != "" && !slices.Contains(lines, line) {
			lines = append(lines, line)
		}
	}
	text = strings.ReplaceAll(strings.Join(lines, "; "), ":; ", ": ")
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return utf8.RuneError
		}
		return r
	}, text)
}

// Version is the version of the module this program was built from, with the revision where the build recorded one.
func Version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	version := info.Main.Version
	if version == "" || version == "(devel)" {
		version = "devel"
	}
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" && len(s.Value) >= 12 {
			version += " (" + s.Value[:12] + ")"
		}
	}
	return version + " " + info.GoVersion
}
