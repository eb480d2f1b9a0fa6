package main

import (
	"fmt"
	"io"
	"net"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"
)

// halfTrip is how long a message is under way in each direction.
const halfTrip = 500 * time.Microsecond

// farAway listens in front of PostgreSQL and delays what passes, without limiting how much does.
type farAway struct {
	listener net.Listener
	socket   string
	running  sync.WaitGroup
	mu       sync.Mutex
	open     []net.Conn
}

// delay starts a farAway in front of the server behind the connection string of a unix socket.
func delay(url string) (*farAway, error) {
	cfg, err := pgx.ParseConfig(url)
	if err != nil {
		return nil, err
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	f := &farAway{listener: l, socket: filepath.Join(cfg.Host, fmt.Sprintf(".s.PGSQL.%d", cfg.Port))}
	f.running.Go(f.accept)
	return f, nil
}

// url returns the connection string that leads through f.
func (f *farAway) url(direct string) (string, error) {
	cfg, err := pgx.ParseConfig(direct)
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("host=127.0.0.1 port=%d sslmode=disable user='%s' password='%s' dbname='%s'",
		f.listener.Addr().(*net.TCPAddr).Port, cfg.User, cfg.Password, cfg.Database), nil
}

func (f *farAway) accept() {
	for {
		client, err := f.listener.Accept()
		if err != nil {
			return
		}
		server, err := net.Dial("unix", f.socket)
		if err != nil {
			client.Close()
			continue
		}
		f.mu.Lock()
		f.open = append(f.open, client, server)
		f.mu.Unlock()
		f.relay(server, client)
		f.relay(client, server)
	}
}

// parcel is what one read returned, and when it may arrive.
type parcel struct {
	data []byte
	due  time.Time
}

// relay copies in one direction until it ends on either side.
func (f *farAway) relay(to, from net.Conn) {
	way := make(chan parcel, 1<<10)
	f.running.Go(func() {
		defer close(way)
		for {
			buf := make([]byte, 1<<16)
			n, err := from.Read(buf)
			if n > 0 {
				way <- parcel{buf[:n], time.Now().Add(halfTrip)}
			}
			if err != nil {
				return
			}
		}
	})
	f.running.Go(func() {
		defer to.Close()
		for p := range way {
			// The runtime's timers may be late by a millisecond; the system's are exact to some 50 µs.
			if rest := time.Until(p.due); rest > 0 {
				ts := syscall.NsecToTimespec(int64(rest))
				_ = syscall.Nanosleep(&ts, nil) // woken early, it arrives early
			}
			if _, err := to.Write(p.data); err != nil {
				_, _ = io.Copy(io.Discard, from)
			}
		}
	})
}

// close ends all connections.
func (f *farAway) close() {
	f.listener.Close()
	f.mu.Lock()
	for _, c := range f.open {
		c.Close()
	}
	f.mu.Unlock()
	f.running.Wait()
}
