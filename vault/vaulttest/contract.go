package vaulttest

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"time"
)

// Subject is a client of a Vault under contract: an adapter of a few lines for each client library.
type Subject struct {
	// Login logs in by userpass.
	Login func(ctx context.Context, username, password string) (*Login, error)
	// Health returns what sys/health says, whatever the status.
	Health func(ctx context.Context) (initialized, sealed, standby bool, err error)
	// Status returns the HTTP status that an error of the client stands for; 0 if none.
	Status func(error) int
}

// Login is a session of a Subject.
type Login struct {
	// Read returns the fields and number of a version; 0 asks for the newest.
	Read func(ctx context.Context, path string, version int) (map[string]string, int, error)
	// List returns the names in a folder, sorted, and none if there is no such folder.
	List func(ctx context.Context, folder string) ([]string, error)
	// Lookup returns how long the token lives and its policies.
	Lookup func(ctx context.Context) (time.Duration, []string, error)
	// Renew and Revoke are those of the token itself.
	Renew, Revoke func(ctx context.Context) error
}

// Setting is a Vault prepared for the contract: a KV engine version 2 at Mount that [Seed] filled, and a user whose tokens
// may read it, live for 15 minutes and can be renewed.
type Setting struct {
	Address, Mount     string
	Username, Password string
	Subject            Subject
}

// Case is a line of the contract.
type Case struct {
	Name string // a sentence
	Run  func(ctx context.Context, s Setting) error
}

// Seed fills a KV engine with what the contract reads, through the HTTP API and with a token that may write.
func Seed(ctx context.Context, client *http.Client, address, mount, token string) error {
	data := func(value string) string { return `{"data":{"value":"` + value + `","other":"x"}}` }
	for _, step := range []struct{ method, path, body string }{
		{http.MethodPost, "data/top", data("one")},
		{http.MethodPost, "data/top", data("two")},
		{http.MethodPost, "data/folder/inner", data("inner")},
		{http.MethodPost, "data/folder/deeper/still", data("still")},
		{http.MethodPost, "data/folder/with space & %2F", data("odd")},
		{http.MethodPost, "data/gone", data("gone")},
		{http.MethodDelete, "data/gone", ""},
		{http.MethodPost, "data/burnt", data("burnt")},
		{http.MethodPost, "data/burnt", data("fresh")},
		{http.MethodPost, "destroy/burnt", `{"versions":[1]}`},
	} {
		if err := seed(ctx, client, step.method, address, mount+"/"+step.path, step.body, token); err != nil {
			return err
		}
	}
	return nil
}

func seed(ctx context.Context, client *http.Client, method, address, path, body, token string) error {
	req, err := http.NewRequestWithContext(ctx, method, address, bytes.NewReader([]byte(body)))
	if err != nil {
		return fmt.Errorf("vaulttest: seed: %w", err)
	}
	req.URL.Path = "/v1/" + path
	req.Header.Set("X-Vault-Token", token)
	res, err := client.Do(req)
	if err != nil {
		return fmt.Errorf("vaulttest: seed: %w", err)
	}
	defer res.Body.Close()
	if answer, _ := io.ReadAll(res.Body); res.StatusCode >= 300 {
		return fmt.Errorf("vaulttest: seed: %s %s: status %d: %s", method, path, res.StatusCode, answer)
	}
	return nil
}

// Contract returns what every Vault and every client of one agree on. The fake, a real Vault, our client and foreign ones
// run it.
func Contract() []Case {
	return slices.Concat(loginCases(), readCases(), listCases())
}

func loginCases() []Case {
	return []Case{
		{"an active node says so", func(ctx context.Context, s Setting) error {
			initialized, sealed, standby, err := s.Subject.Health(ctx)
			return errors.Join(err, equal([]bool{true, false, false}, []bool{initialized, sealed, standby}))
		}},
		{"a wrong password is refused with 400", func(ctx context.Context, s Setting) error {
			_, err := s.Subject.Login(ctx, s.Username, "wrong")
			return s.status(err, http.StatusBadRequest)
		}},
		{"an unknown user is refused with 400", func(ctx context.Context, s Setting) error {
			_, err := s.Subject.Login(ctx, "nobody", "wrong")
			return s.status(err, http.StatusBadRequest)
		}},
		{"a token knows its life and policies", loggedIn(func(ctx context.Context, l *Login, _ Setting) error {
			ttl, policies, err := l.Lookup(ctx)
			if ttl <= 14*time.Minute || ttl > 15*time.Minute || !slices.Contains(policies, "default") {
				err = errors.Join(err, fmt.Errorf("ttl %s, policies %v", ttl, policies))
			}
			return err
		})},
		{"a token renews itself", loggedIn(func(ctx context.Context, l *Login, _ Setting) error { return l.Renew(ctx) })},
		{"a token revokes itself and is worth nothing afterwards", loggedIn(func(ctx context.Context, l *Login, s Setting) error {
			if err := l.Revoke(ctx); err != nil {
				return err
			}
			_, _, err := l.Read(ctx, "top", 0)
			return s.status(err, http.StatusForbidden)
		})},
	}
}

func readCases() []Case {
	found := func(path string, version int, want string, number int) func(context.Context, Setting) error {
		return loggedIn(func(ctx context.Context, l *Login, _ Setting) error {
			fields, got, err := l.Read(ctx, path, version)
			if err != nil {
				return err
			}
			if !maps.Equal(fields, map[string]string{"value": want, "other": "x"}) || got != number {
				return fmt.Errorf("version %d with %d fields, want version %d of %q", got, len(fields), number, want)
			}
			return nil
		})
	}
	missing := func(path string, version int) func(context.Context, Setting) error {
		return loggedIn(func(ctx context.Context, l *Login, s Setting) error {
			_, _, err := l.Read(ctx, path, version)
			return s.status(err, http.StatusNotFound)
		})
	}
	return []Case{
		{"the newest version is read", found("top", 0, "two", 2)},
		{"an older version is read", found("top", 1, "one", 1)},
		{"a secret in a folder is read", found("folder/deeper/still", 0, "still", 1)},
		{"a name with spaces and signs is read", found("folder/with space & %2F", 0, "odd", 1)},
		{"a version beside a destroyed one is read", found("burnt", 2, "fresh", 2)},
		{"a missing secret is 404", missing("missing", 0)},
		{"a missing version is 404", missing("top", 3)},
		{"a deleted version is 404", missing("gone", 0)},
		{"a destroyed version is 404", missing("burnt", 1)},
		{"a folder is no secret", missing("folder", 0)},
	}
}

func listCases() []Case {
	listed := func(folder string, want ...string) func(context.Context, Setting) error {
		return loggedIn(func(ctx context.Context, l *Login, _ Setting) error {
			got, err := l.List(ctx, folder)
			return errors.Join(err, equal(want, got))
		})
	}
	return []Case{
		{"the root is listed, the deleted included", listed("", "burnt", "folder/", "gone", "top")},
		{"a folder is listed", listed("folder", "deeper/", "inner", "with space & %2F")},
		{"a missing folder is empty", listed("nowhere")},
	}
}

// loggedIn makes a case of what a login does.
func loggedIn(run func(context.Context, *Login, Setting) error) func(context.Context, Setting) error {
	return func(ctx context.Context, s Setting) error {
		l, err := s.Subject.Login(ctx, s.Username, s.Password)
		if err != nil {
			return fmt.Errorf("login: %w", err)
		}
		return run(ctx, l, s)
	}
}

// status reports whether err stands for the HTTP status want.
func (s Setting) status(err error, want int) error {
	if err == nil {
		return fmt.Errorf("no error, want status %d", want)
	}
	if got := s.Subject.Status(err); got != want {
		return fmt.Errorf("status %d, want %d: %w", got, want, err)
	}
	return nil
}

func equal[T any](want, got T) error {
	a, errA := json.Marshal(want)
	b, errB := json.Marshal(got)
	if !bytes.Equal(a, b) && string(a)+string(b) != "null[]" && string(a)+string(b) != "[]null" {
		return errors.Join(fmt.Errorf("got %s, want %s", b, a), errA, errB)
	}
	return nil
}
