//go:build unix

package main

import (
	"bytes"
	"os"
	"os/exec"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestSIGTERMStopsGracefully(t *testing.T) {
	b, dir := enrolled(t)
	var errs bytes.Buffer
	cmd := exec.CommandContext(t.Context(), os.Args[0], "run", "--state-dir", dir)
	cmd.Env = append(os.Environ(), "TOMKIT_AGENT_AS_COMMAND=1")
	cmd.Stderr = &errs
	cmd.WaitDelay = time.Minute
	require.NoError(t, cmd.Start())
	<-b.beat
	require.NoError(t, cmd.Process.Signal(syscall.SIGTERM))
	require.NoError(t, cmd.Wait(), "exit status 0")
	require.Contains(t, errs.String(), "stopped")
}
