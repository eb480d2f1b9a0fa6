package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/google/uuid"

	"github.com/pioneerdesk/tomkit/heartbeat"
)

const (
	stateVersion = 1
	stateFile    = "agent.json"
	maxState     = 1 << 20
)

// state is what enrolment leaves behind.
type state struct {
	Version    int             `json:"version"`
	Server     string          `json:"server"`
	CA         string          `json:"ca,omitempty"` // PEM; empty: those of this machine
	Tenant     uuid.UUID       `json:"tenant"`
	Device     uuid.UUID       `json:"device"`
	Credential heartbeat.Token `json:"credential"`
}

// stateDir returns the directory for the state: the flag's, systemd's, or the usual one of the system.
func (p *process) stateDir(flag string) (string, error) {
	home := p.env["HOME"]
	systemd, _, _ := strings.Cut(p.env["STATE_DIRECTORY"], ":")
	switch {
	case flag != "":
		return flag, nil
	case systemd != "":
		return systemd, nil
	case runtime.GOOS == "windows" && p.env["ProgramData"] != "":
		return filepath.Join(p.env["ProgramData"], "tomkit-agent"), nil
	case os.Geteuid() == 0:
		return "/var/lib/tomkit-agent", nil
	case p.env["XDG_STATE_HOME"] != "":
		return filepath.Join(p.env["XDG_STATE_HOME"], "tomkit-agent"), nil
	case home != "":
		return filepath.Join(home, ".local", "state", "tomkit-agent"), nil
	}
	return "", usagef("no state directory: use --state-dir or TOMKIT_STATE_DIR")
}

// slot is a file, made and writable, that waits to become the state.
type slot struct {
	file *os.File
	path string
}

// reserve makes the state directory and a file in it. It fails if there is a state already, unless it may be replaced.
func reserve(dir string, replace bool) (*slot, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("state directory: %w", err)
	}
	if err := checkDir(dir); err != nil {
		return nil, err
	}
	path := filepath.Join(dir, stateFile)
	if _, err := os.Lstat(path); err == nil && !replace {
		return nil, fmt.Errorf("enrolled already: %s exists; --replace enrols anew", path)
	} else if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("state: %w", err)
	}
	file, err := os.CreateTemp(dir, stateFile+".*") // mode 0600
	if err != nil {
		return nil, fmt.Errorf("state: %w", err)
	}
	return &slot{file: file, path: path}, nil
}

// write makes s the state, durably and at once or not at all.
func (s *slot) write(st state) error {
	b, err := json.MarshalIndent(st, "", "  ")
	if err != nil {
		return err
	}
	if _, err := s.file.Write(append(b, '\n')); err != nil {
		return err
	}
	if err := s.file.Sync(); err != nil {
		return err
	}
	if err := s.file.Close(); err != nil {
		return err
	}
	if err := os.Rename(s.file.Name(), s.path); err != nil {
		return err
	}
	return syncDir(filepath.Dir(s.path))
}

// discard removes what was not written.
func (s *slot) discard() {
	_ = s.file.Close()
	_ = os.Remove(s.file.Name())
}

// syncDir makes a rename durable where directories can be synced.
func syncDir(dir string) error {
	if runtime.GOOS == "windows" {
		return nil
	}
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}

// load reads the state. It refuses a file that others may read or a directory others may write.
func load(dir string) (state, error) {
	path := filepath.Join(dir, stateFile)
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return state{}, fmt.Errorf("not enrolled: %s does not exist; see tomkit-agent enrol --help", path)
	}
	if err != nil {
		return state{}, fmt.Errorf("state: %w", err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return state{}, fmt.Errorf("state: %w", err)
	}
	if !info.Mode().IsRegular() || runtime.GOOS != "windows" && info.Mode().Perm()&0o077 != 0 {
		return state{}, fmt.Errorf("state: %s is open to other users: chmod 600 it, and enrol again if it may have been read", path)
	}
	if err := checkDir(dir); err != nil {
		return state{}, err
	}
	b, err := io.ReadAll(io.LimitReader(f, maxState))
	if err != nil {
		return state{}, fmt.Errorf("state: %w", err)
	}
	return parseState(b)
}

func parseState(b []byte) (st state, err error) {
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	if d.Decode(&st) != nil || d.Decode(new(json.RawMessage)) != io.EOF || st.Version != stateVersion ||
		st.Tenant == uuid.Nil || st.Device == uuid.Nil || st.Credential.Check(heartbeat.TokenDevice) != nil {
		return state{}, errors.New("state: agent.json is damaged: enrol again with --replace")
	}
	return st, nil
}

func checkDir(dir string) error {
	info, err := os.Stat(dir)
	if err != nil {
		return fmt.Errorf("state directory: %w", err)
	}
	if !info.IsDir() || runtime.GOOS != "windows" && info.Mode().Perm()&0o022 != 0 {
		return fmt.Errorf("state directory: %s is no directory or other users may write to it", dir)
	}
	return nil
}
