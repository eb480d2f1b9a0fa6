package cli_test

import (
	"bytes"
	"context"
	"errors"
	"testing"

	"github.com/alecthomas/kong"
	"github.com/stretchr/testify/require"

	"github.com/pioneerdesk/tomkit/internal/cli"
)

type grammar struct {
	Version kong.VersionFlag
	Work    work `cmd:"" help:"Do the work."`
	Count   int  `help:"How often." env:"TOMKIT_CLI_TEST_COUNT" default:"3"`
}

type work struct {
	Fail string `help:"How to fail." enum:"no,plain,usage,three,lines" default:"no"`
}

func (w *work) Run(ctx context.Context, greeting string) error {
	switch w.Fail {
	case "plain":
		return errors.New("broken")
	case "usage":
		return cli.UsageError("no such file")
	case "three":
		return &cli.ExitError{Code: 3, Err: errors.New("third")}
	case "lines":
		return errors.Join(errors.New("connect:\n\tfirst address\n\tfirst address"), errors.New("close \x1b[2J"))
	}
	if ctx.Err() != nil || greeting != "hello" {
		return errors.New("context or binding lost")
	}
	return nil
}

func TestExitCodes(t *testing.T) {
	for name, c := range map[string]struct {
		args []string
		code int
		err  string
	}{
		"success":                     {[]string{"work"}, cli.OK, ""},
		"a failure is 1":              {[]string{"work", "--fail=plain"}, cli.Failure, "prog: broken\n"},
		"unusable input is 2":         {[]string{"work", "--fail=usage"}, cli.Usage, "prog: no such file\n"},
		"a program's own code":        {[]string{"work", "--fail=three"}, 3, "prog: third\n"},
		"several lines become one":    {[]string{"work", "--fail=lines"}, cli.Failure, "prog: connect: first address; close \ufffd[2J\n"},
		"an unknown flag is 2":        {[]string{"work", "--nope"}, cli.Usage, "prog: unknown flag --nope\nprog: see prog --help\n"},
		"a missing command is 2":      {nil, cli.Usage, "prog: expected \"work\"\nprog: see prog --help\n"},
		"help is success":             {[]string{"--help"}, cli.OK, ""},
		"the version is success":      {[]string{"--version"}, cli.OK, ""},
		"a value outside the enum: 2": {[]string{"work", "--fail=x"}, cli.Usage, "prog: --fail must be one of \"no\",\"plain\",\"usage\",\"three\",\"lines\" but got \"x\"\nprog: see prog --help\n"},
	} {
		t.Run(name, func(t *testing.T) {
			var stdout, stderr bytes.Buffer
			p := cli.Program{Name: "prog", Summary: "A program.", Help: "What to know.", Grammar: &grammar{}, Stdout: &stdout, Stderr: &stderr}
			require.Equal(t, c.code, p.Run(t.Context(), c.args, "hello"))
			require.Equal(t, c.err, stderr.String())
		})
	}
}

func TestHelpAndVersionGoToStdout(t *testing.T) {
	var stdout, stderr bytes.Buffer
	p := cli.Program{Name: "prog", Summary: "A program.", Help: "What to know.", Grammar: &grammar{}, Stdout: &stdout, Stderr: &stderr}
	require.Zero(t, p.Run(t.Context(), []string{"--help"}, "hello"))
	require.Contains(t, stdout.String(), "What to know.")
	stdout.Reset()
	require.Zero(t, p.Run(t.Context(), []string{"--version"}, "hello"))
	require.Contains(t, stdout.String(), "go1.")
	require.Empty(t, stderr.String())
}

func TestAVariableSetToNothingIsNotSet(t *testing.T) {
	for value, want := range map[string]int{"": 3, "7": 7} {
		t.Setenv("TOMKIT_CLI_TEST_COUNT", value)
		var g grammar
		var stderr bytes.Buffer
		p := cli.Program{Name: "prog", Grammar: &g, Stdout: &stderr, Stderr: &stderr}
		require.Zero(t, p.Run(t.Context(), []string{"work"}, "hello"), stderr.String())
		require.Equal(t, want, g.Count)
	}
	t.Run("one that cannot be read is named", func(t *testing.T) {
		t.Setenv("TOMKIT_CLI_TEST_COUNT", "many")
		var stderr bytes.Buffer
		p := cli.Program{Name: "prog", Grammar: &grammar{}, Stdout: &stderr, Stderr: &stderr}
		require.Equal(t, cli.Usage, p.Run(t.Context(), []string{"work"}, "hello"))
		require.Contains(t, stderr.String(), "TOMKIT_CLI_TEST_COUNT")
	})
}
