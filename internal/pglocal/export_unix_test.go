//go:build unix && !aix && !solaris

package pglocal

// PIDs returns the process ids of the postmaster and of the watcher.
func (s *Server) PIDs() (postmaster, watcher int) {
	return s.cmd.Process.Pid, s.watch.cmd.Process.Pid
}

// SocketDir returns the directory of the socket.
func (s *Server) SocketDir() string { return s.dir.socket }
