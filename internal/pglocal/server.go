//go:build unix && !aix && !solaris

package pglocal

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

// Server is a running private PostgreSQL. Its methods are safe for concurrent use.
type Server struct {
	dir      *dir
	binaries Binaries
	cmd      *exec.Cmd
	watch    *watcher
	gone     chan struct{} // closed when the postmaster has ended
	lastLog  lastLines     // with Config.Log only

	stopOnce sync.Once
	stopErr  error
}

// Start starts a server and returns when it accepts connections. ctx bounds the start
// only; the server runs until Stop or until this process ends.
//
// Errors: *NotInstalledError, *VersionError, *StartError, ErrInUse, ErrForeignDir, ErrUnsupported.
func Start(ctx context.Context, cfg Config) (_ *Server, err error) {
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	timeout := cfg.StartTimeout
	if timeout == 0 {
		timeout = defaultStartTimeout
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	owner, err := serverAccount()
	if err != nil {
		return nil, err
	}
	// Missing binaries are reported before anything is made on the disk.
	binaries, err := Find(ctx, cfg.BinDir)
	if err != nil {
		return nil, err
	}
	d, err := openDir(cfg.Dir, cfg.TempDir, owner)
	if err != nil {
		return nil, err
	}
	s := &Server{dir: d, binaries: binaries, gone: make(chan struct{})}
	if err := s.start(ctx, cfg); err != nil {
		s.abandon()
		return nil, err
	}
	return s, nil
}

func (s *Server) start(ctx context.Context, cfg Config) error {
	sig := syscall.SIGINT // a fast shutdown writes a checkpoint
	if cfg.Dir == "" {
		sig = syscall.SIGQUIT // nobody needs one
	}
	var err error
	if s.watch, err = startWatcher(s.dir, signalName(sig)); err != nil {
		return err
	}
	if err := s.prepare(ctx, cfg); err != nil {
		return err
	}
	for {
		if err := s.launch(cfg, sig); err != nil {
			return err
		}
		err := s.ready(ctx)
		if err == nil || !lingering(err) {
			return err
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(lingerPause):
		}
		s.gone = make(chan struct{})
		s.lastLog.reset()
	}
}

// lingerPause is how long sessions of a killed postmaster are given before the next attempt. They end by themselves as
// soon as they notice, and PostgreSQL starts nothing on their data before they are gone.
const lingerPause = 50 * time.Millisecond

// lingering reports whether a start failed on them.
func lingering(err error) bool {
	var failed *StartError
	return errors.As(err, &failed) && strings.Contains(failed.Log, "pre-existing shared memory block")
}

// prepare makes the cluster, or checks the one that is there.
func (s *Server) prepare(ctx context.Context, cfg Config) error {
	major, fresh, err := s.dir.dataMajor()
	if err != nil {
		return err
	}
	if !fresh {
		if wish, _ := strconv.Atoi(major); wish != s.binaries.Major {
			if s.binaries, err = find(ctx, cfg.BinDir, wish); err != nil {
				return err
			}
		}
		if major != strconv.Itoa(s.binaries.Major) {
			return &VersionError{Dir: s.dir.path, Data: major, Have: s.binaries.Major}
		}
		return s.dir.settle(ctx)
	}
	if err := s.dir.makeCluster(ctx, s.binaries); err != nil {
		return err
	}
	if cfg.Dir != "" {
		if err := syncTree(s.dir.data()); err != nil {
			return fmt.Errorf("pglocal: start: sync %s: %w", s.dir.path, err)
		}
	}
	return nil
}

// launch starts the postmaster from a thread that stays for the postmaster's whole life:
// the kernel's death signal comes when the starting thread ends.
func (s *Server) launch(cfg Config, sig syscall.Signal) error {
	cmd := exec.Command(filepath.Join(s.binaries.Dir, "postgres"),
		append([]string{"-D", s.dir.data()}, cfg.settingArgs(s.dir.socket)...)...)
	cmd.Dir, cmd.Env, cmd.SysProcAttr = s.dir.path, cleanEnv(s.dir.path), s.dir.owner.attr()
	if !cfg.watcherOnly {
		dieWithParent(cmd.SysProcAttr, sig)
	}
	cmd.WaitDelay = 2 * time.Second // for a session that outlives a killed postmaster
	if cfg.Log != nil {
		cmd.Stderr = io.MultiWriter(cfg.Log, &s.lastLog)
	} else {
		log, err := s.dir.root.OpenFile(logName, os.O_WRONLY|os.O_CREATE|os.O_TRUNC|os.O_APPEND, 0o600)
		if err != nil {
			return fmt.Errorf("pglocal: start: %w", err)
		}
		defer log.Close()
		cmd.Stderr = log
	}
	started := make(chan error)
	go s.holdThread(cmd, started)
	if err := <-started; err != nil {
		return &StartError{Verb: "postgres", Err: err}
	}
	s.cmd = cmd
	if err := s.watch.follow(cmd.Process.Pid); err != nil {
		return fmt.Errorf("pglocal: start: watcher: %w", err)
	}
	return nil
}

// holdThread starts cmd and waits for its end on one thread, which ends with it.
func (s *Server) holdThread(cmd *exec.Cmd, started chan<- error) {
	runtime.LockOSThread()
	err := cmd.Start()
	started <- err
	if err != nil {
		return
	}
	cmd.Wait()
	s.watch.follow(0)
	close(s.gone)
}

// ready waits for the postmaster's own word in its pid file, as pg_ctl does.
func (s *Server) ready(ctx context.Context) error {
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-s.gone:
			return &StartError{Verb: "postgres", Err: errors.New("ended while starting"), Log: s.logTail()}
		case <-ctx.Done():
			return &StartError{Verb: "postgres", Err: ctx.Err(), Log: s.logTail()}
		case <-tick.C:
		}
		pid, rest, err := s.dir.postmasterPID()
		if err != nil {
			return err
		}
		lines := strings.Split(rest, "\n")
		// Line 8 of postmaster.pid is the state.
		if pid == s.cmd.Process.Pid && len(lines) >= 7 && strings.TrimSpace(lines[6]) == "ready" {
			return nil
		}
	}
}

func (s *Server) logTail() string {
	if t := s.lastLog.String(); t != "" {
		return t
	}
	b, err := s.dir.root.ReadFile(logName)
	if err != nil {
		return ""
	}
	return tail(b)
}

// abandon undoes a start that failed.
func (s *Server) abandon() {
	if s.cmd != nil {
		s.end(context.Background(), syscall.SIGQUIT)
	}
	if s.watch != nil {
		s.watch.stop()
	}
	s.dir.remove()
	s.dir.close()
}

// URL returns a connection string for a database and a role of this server.
// Both pgx and libpq read it.
func (s *Server) URL(database, user string) string {
	query := url.Values{"host": {s.dir.socket}, "port": {port}}.Encode()
	u := url.URL{Scheme: "postgres", User: url.User(user), Path: "/" + database,
		RawQuery: strings.ReplaceAll(query, "+", "%20")} // libpq takes + for itself
	return u.String()
}

// Dir returns the server's directory.
func (s *Server) Dir() string { return s.dir.path }

// Version returns the server's version, such as "15.13 (Debian 15.13-0+deb12u1)".
func (s *Server) Version() string { return s.binaries.Version }

// Done is closed when the server has ended, for whatever reason.
func (s *Server) Done() <-chan struct{} { return s.gone }

// Stop ends the server: sessions are closed, a persistent server writes a checkpoint.
// If ctx ends first the server is ended at once, as after a crash, and the error says so;
// nothing that was committed is lost. A temporary directory is removed. Further calls
// return the first one's result.
func (s *Server) Stop(ctx context.Context) error {
	s.stopOnce.Do(func() {
		sig := syscall.SIGINT
		if len(s.dir.volatile) > 0 && s.dir.volatile[0] == s.dir.path {
			sig = syscall.SIGQUIT
		}
		s.stopErr = s.end(ctx, sig)
		s.watch.stop()
		if err := s.dir.remove(); err != nil && s.stopErr == nil {
			s.stopErr = fmt.Errorf("pglocal: stop: %w", err)
		}
		s.dir.close()
	})
	return s.stopErr
}

// end signals the postmaster and waits for it, with growing force.
func (s *Server) end(ctx context.Context, sig syscall.Signal) error {
	s.cmd.Process.Signal(sig)
	select {
	case <-s.gone:
		return nil
	case <-ctx.Done():
	}
	s.cmd.Process.Signal(syscall.SIGQUIT)
	select {
	case <-s.gone:
	case <-time.After(5 * time.Second):
		s.cmd.Process.Kill()
		<-s.gone
	}
	return fmt.Errorf("pglocal: stop: ended at once: %w", ctx.Err())
}
