package vault

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
)

var (
	// ErrProduction says that a development source was to be used in production.
	ErrProduction = errors.New("vault: development source: refused in production (TOMKIT_ENV)")
	// ErrFile says that the development file is not one flat JSON object of strings.
	ErrFile = errors.New("vault: development file: malformed")
)

const (
	environmentVariable = "TOMKIT_ENV"
	maxFile             = 64 << 10 // bytes
	noticeName          = "_notice"
	noticeText          = "Development keys, made by tomkit. Not for production, not for version control."
)

// DevelopmentConfig tunes the development sources.
type DevelopmentConfig struct {
	// Manifest says which keys a new file gets: the required ones of format Key256. Nil means DefaultManifest. The
	// environment does not need it.
	Manifest Manifest
	// Getenv looks up TOMKIT_ENV, and the secrets of DevelopmentEnvironmentUnsafe. Nil means os.Getenv.
	Getenv func(string) string
	// Logger gets a warning at every use. Nil means slog.Default.
	Logger *slog.Logger
}

// DevelopmentFileUnsafe returns a source that keeps random keys in a file, so that a development database survives
// restarts. If there is no file at path, the first Fetch creates one, with mode 0600 and in one step: of any number of
// processes that start at once, one creates it and all read the same. The directory is created with mode 0700 if absent.
//
// It is unsafe because keys lie on the disk in clear. With TOMKIT_ENV set to production it returns ErrProduction; Fetch
// asks again. A file of another user, or one that group or others may touch, is refused with ErrPermissions, as is a
// symbolic link. Every Fetch logs a warning.
func DevelopmentFileUnsafe(path string, cfg DevelopmentConfig) (Source, error) {
	if path == "" {
		return nil, errors.New("vault: development file: no path")
	}
	if cfg.Manifest == nil {
		cfg.Manifest = DefaultManifest()
	}
	if err := cfg.Manifest.check(); err != nil {
		return nil, err
	}
	cfg = cfg.withDefaults()
	if cfg.production() {
		return nil, ErrProduction
	}
	return &developmentFile{path: path, cfg: cfg}, nil
}

func (cfg DevelopmentConfig) withDefaults() DevelopmentConfig {
	if cfg.Getenv == nil {
		cfg.Getenv = os.Getenv
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.Default()
	}
	return cfg
}

type developmentFile struct {
	path string
	cfg  DevelopmentConfig
}

// production also takes the spellings people use for it: refusing too much is cheap here.
func (cfg DevelopmentConfig) production() bool {
	switch strings.ToLower(strings.TrimSpace(cfg.Getenv(environmentVariable))) {
	case "production", "prod", "live":
		return true
	}
	return false
}

// Fetch implements Source.
func (f *developmentFile) Fetch(ctx context.Context, keys []Key) (*Snapshot, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if f.cfg.production() {
		return nil, ErrProduction
	}
	data, err := ReadPrivateFile(f.path, maxFile)
	if errors.Is(err, fs.ErrNotExist) {
		if err := f.create(); err != nil {
			return nil, err
		}
		data, err = ReadPrivateFile(f.path, maxFile)
	}
	if errors.Is(err, ErrTooLarge) {
		return nil, ErrFile
	}
	if err != nil {
		return nil, err
	}
	defer clear(data)
	values, err := parseFile(data)
	if err != nil {
		return nil, err
	}
	f.cfg.Logger.WarnContext(ctx, "DEVELOPMENT KEYS IN USE: secrets come from a plain file, never run production like this",
		slog.String("path", f.path))
	all := NewSnapshot(values)
	out := NewSnapshot(nil)
	for _, k := range keys {
		if s, ok := all.Secret(k); ok {
			out.secrets[k] = s
			delete(all.secrets, k)
		}
	}
	all.Wipe() // what was not asked for
	return out, nil
}

// create writes a new file under a temporary name and links it to its own, which fails if another process was faster:
// nobody ever sees half a file, and nobody's file is replaced.
func (f *developmentFile) create() error {
	dir := filepath.Dir(f.path)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("vault: development file: create directory: %w", err)
	}
	tmp, err := os.CreateTemp(dir, ".tomkit-keys-*") // mode 0600
	if err != nil {
		return fmt.Errorf("vault: development file: create: %w", err)
	}
	defer os.Remove(tmp.Name())
	data, err := f.randomKeys()
	if err != nil {
		tmp.Close()
		return err
	}
	defer clear(data)
	_, err = tmp.Write(data)
	if err = errors.Join(err, tmp.Chmod(0o600), tmp.Sync(), tmp.Close()); err != nil {
		return fmt.Errorf("vault: development file: write: %w", err)
	}
	if err := os.Link(tmp.Name(), f.path); err != nil && !errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("vault: development file: create: %w", err)
	}
	return nil
}

func (f *developmentFile) randomKeys() ([]byte, error) {
	// Written by hand to keep the manifest's order; names and base64 need no escapes.
	out := []byte("{\n  \"" + noticeName + "\": \"" + noticeText + "\"")
	for _, r := range f.cfg.Manifest {
		if r.Optional || r.Format != Key256 {
			continue
		}
		key := make([]byte, keySize)
		if _, err := rand.Read(key); err != nil {
			return nil, fmt.Errorf("vault: development file: random source: %w", err)
		}
		out = append(out, ",\n  \""+string(r.Key)+"\": \""...)
		out = base64.StdEncoding.AppendEncode(out, key)
		out = append(out, '"')
		clear(key)
	}
	return append(out, "\n}\n"...), nil
}

// parseFile reads one JSON object whose values are strings, without repeated names. Its errors quote nothing.
func parseFile(data []byte) (map[Key]Secret, error) {
	d := json.NewDecoder(bytes.NewReader(data))
	if t, err := d.Token(); err != nil || t != json.Delim('{') {
		return nil, ErrFile
	}
	out := make(map[Key]Secret)
	for d.More() {
		name, err := d.Token()
		if err != nil {
			return nil, ErrFile
		}
		value, err := d.Token()
		text, isText := value.(string)
		k := Key(name.(string)) // inside an object every other token is a name
		if _, twice := out[k]; err != nil || !isText || twice {
			return nil, ErrFile
		}
		out[k] = NewSecret([]byte(text))
	}
	if t, err := d.Token(); err != nil || t != json.Delim('}') || len(bytes.TrimSpace(data[d.InputOffset():])) > 0 {
		return nil, ErrFile
	}
	delete(out, noticeName)
	return out, nil
}
