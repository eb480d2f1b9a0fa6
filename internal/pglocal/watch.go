//go:build unix && !aix && !solaris

package pglocal

import (
	"fmt"
	"io"
	"os/exec"
	"strconv"
	"syscall"
)

// watchScript waits on its standard input. A number is the postmaster to watch (0: none),
// "stop" an orderly end. When the pipe closes without it, the parent is dead: the
// postmaster gets signal $2, after 10 s SIGQUIT, after 15 s SIGKILL, and when it is
// gone the paths from $3 on are removed. If the parent died before it could say the
// number, data/postmaster.pid under $1 has it within moments or there is no postmaster;
// the number counts only while the lock file, read after it, still names our parent:
// a later server in the same directory is not ours to end.
const watchScript = `
trap '' INT TERM HUP QUIT PIPE
dir=$1 sig=$2 parent=$PPID
shift 2
pid=
while read -r line; do
	case $line in
	stop) exit 0 ;;
	*) pid=$line ;;
	esac
done
n=0
while [ -z "$pid" ] && [ $n -lt 30 ]; do
	found= holder=
	[ -s "$dir/data/postmaster.pid" ] && read -r found <"$dir/data/postmaster.pid"
	[ -s "$dir/lock" ] && read -r holder <"$dir/lock"
	[ "$holder" = "$parent" ] || break
	pid=$found
	[ -n "$pid" ] || sleep 0.1
	n=$((n + 1))
done
n=0
while [ "${pid:-0}" -gt 0 ] && kill -0 "$pid" 2>/dev/null; do
	case $n in
	0) kill -s "$sig" "$pid" ;;
	200) kill -s QUIT "$pid" ;;
	300) kill -s KILL "$pid" ;;
	esac
	n=$((n + 1))
	sleep 0.05
done
[ $# -eq 0 ] || rm -rf -- "$@"
`

// watcher is the shell that outlives us for a moment.
type watcher struct {
	cmd  *exec.Cmd
	pipe io.WriteCloser
}

// startWatcher starts the second line before there is anything to watch.
func startWatcher(d *dir, sig string) (*watcher, error) {
	args := append([]string{"-c", watchScript, "tomkit-pg-watch", d.path, sig}, d.volatile...)
	cmd := exec.Command("/bin/sh", args...)
	cmd.Dir, cmd.Env, cmd.SysProcAttr = "/", cleanEnv("/"), d.owner.attr()
	pipe, err := cmd.StdinPipe()
	if err != nil {
		return nil, fmt.Errorf("pglocal: start: watcher: %w", err)
	}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("pglocal: start: watcher: %w", err)
	}
	return &watcher{cmd: cmd, pipe: pipe}, nil
}

// follow tells the watcher which process to end; zero means none.
func (w *watcher) follow(pid int) error {
	_, err := io.WriteString(w.pipe, strconv.Itoa(pid)+"\n")
	return err
}

// stop ends the watcher in order.
func (w *watcher) stop() {
	io.WriteString(w.pipe, "stop\n")
	w.pipe.Close()
	w.cmd.Wait()
}

// signalName is sig as kill -s wants it.
func signalName(sig syscall.Signal) string {
	if sig == syscall.SIGQUIT {
		return "QUIT"
	}
	return "INT"
}
