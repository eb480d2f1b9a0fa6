//go:build unix && !aix && !solaris

package pglocal

import (
	"bytes"
	"context"
	"fmt"
	"os/exec"
	"path/filepath"
	"runtime"
	"syscall"
	"time"
)

// initdbArgs decide what a new cluster is. Connections need the socket's directory,
// so local connections are trusted and all others refused. Text is UTF-8, sorted bytewise.
var initdbArgs = []string{
	"--username=" + Superuser, "--encoding=UTF8", "--locale=C", "--lc-ctype=" + ctype,
	"--auth-local=trust", "--auth-host=reject", "--no-sync", "--no-instructions",
}

// makeCluster fills data/ from the cached template, or with initdb, which then makes the template.
func (d *dir) makeCluster(ctx context.Context, b Binaries) error {
	if err := d.root.RemoveAll(makingName); err != nil {
		return fmt.Errorf("pglocal: start: %w", err)
	}
	if err := d.root.Mkdir(makingName, 0o700); err != nil {
		return fmt.Errorf("pglocal: start: %w", err)
	}
	if err := d.owner.own(d.root, makingName); err != nil {
		return fmt.Errorf("pglocal: start: %w", err)
	}
	if err := d.fill(ctx, b); err != nil {
		return err
	}
	if err := d.root.Rename(makingName, dataName); err != nil {
		return fmt.Errorf("pglocal: start: %w", err)
	}
	return nil
}

func (d *dir) fill(ctx context.Context, b Binaries) error {
	dst, err := d.root.OpenRoot(makingName)
	if err != nil {
		return fmt.Errorf("pglocal: start: %w", err)
	}
	defer dst.Close()
	template, err := openTemplate(b, d.owner)
	if err != nil {
		return d.initdb(ctx, b) // no cache to be had: every start is a cold one
	}
	defer template.close()
	// Of many processes on a new machine one runs initdb and the others wait for it.
	for _, before := range []func() error{
		func() error { return nil },
		func() error { return template.takeLock(ctx) },
	} {
		if err := before(); err != nil {
			return fmt.Errorf("pglocal: start: wait for the template: %w", err)
		}
		if template.restore(dst, d.owner) == nil {
			return nil
		}
		if err := emptyDir(dst); err != nil {
			return fmt.Errorf("pglocal: start: %w", err)
		}
	}
	if err := d.initdb(ctx, b); err != nil {
		return err
	}
	template.save(dst) // failing, it leaves the next start a cold one
	return nil
}

// initdb makes a new cluster in data.new as the server's account.
func (d *dir) initdb(ctx context.Context, b Binaries) error {
	cmd := exec.CommandContext(ctx, filepath.Join(b.Dir, "initdb"),
		append([]string{"-D", filepath.Join(d.path, makingName)}, initdbArgs...)...)
	cmd.Dir, cmd.Env, cmd.SysProcAttr = d.path, cleanEnv(d.path), d.owner.attr()
	// initdb starts children: on a cancelled start the whole session has to go.
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.WaitDelay = time.Second
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	runtime.LockOSThread() // the thread must live as long as the child, prctl(2)
	defer runtime.UnlockOSThread()
	dieWithParent(cmd.SysProcAttr, syscall.SIGTERM)
	if err := cmd.Run(); err != nil {
		if ctx.Err() != nil {
			err = ctx.Err() // rather than the signal that it caused
		}
		return &StartError{Verb: "initdb", Err: err, Log: tail(out.Bytes())}
	}
	return nil
}
