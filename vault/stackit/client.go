package stackit

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/pioneerdesk/tomkit/vault"
	"github.com/pioneerdesk/tomkit/vault/wire"
)

// Addresses of STACKIT in the region eu01.
const (
	DefaultAPI           = "https://secrets-manager.api.eu01.stackit.cloud"
	DefaultTokenEndpoint = "https://service-account.api.stackit.cloud/token"
)

// Config says which instance to manage. Key, Project, Instance and Wire.Roots are required.
type Config struct {
	// Key is the service account's.
	Key *Key
	// Project and Instance are the ids of both, UUIDs.
	Project, Instance string
	// API is the address of the Secrets Manager's API. Empty means DefaultAPI.
	API string
	// TokenEndpoint is where assertions are exchanged for tokens. Empty means the key's, or else DefaultTokenEndpoint.
	TokenEndpoint string
	// AssertionLifetime is how long an assertion is valid. Zero means MaxAssertionLifetime; more or negative is an error.
	AssertionLifetime time.Duration
	// Wire tunes the connections: roots, pins, timeouts, caps. Pins hold for both addresses.
	Wire wire.Config
}

// Client manages the users of one instance. It is safe for concurrent use.
type Client struct {
	cfg        Config
	now        func() time.Time
	api, issue *wire.Client

	busy    chan struct{} // held while a token is fetched or looked at
	token   vault.Secret
	expires time.Time
}

// New returns a Client. It does not connect. An expired key is [ErrKeyExpired], anything else [wire.ErrConfig].
func New(cfg Config) (*Client, error) {
	c := &Client{cfg: cfg, now: cfg.Wire.Now, busy: make(chan struct{}, 1)}
	if c.now == nil {
		c.now = time.Now
	}
	switch {
	case cfg.Key == nil || cfg.Key.private == nil:
		return nil, fmt.Errorf("stackit: new: %w: no key", wire.ErrConfig)
	case !isUUID(cfg.Project) || !isUUID(cfg.Instance):
		return nil, fmt.Errorf("stackit: new: %w: project or instance is no UUID", wire.ErrConfig)
	case cfg.AssertionLifetime < 0 || cfg.AssertionLifetime > MaxAssertionLifetime:
		return nil, fmt.Errorf("stackit: new: %w: assertion lifetime outside 0 to %s", wire.ErrConfig, MaxAssertionLifetime)
	}
	if urgency, _ := cfg.Key.Expiry(c.now()); urgency == Expired {
		return nil, ErrKeyExpired
	}
	if c.cfg.AssertionLifetime == 0 {
		c.cfg.AssertionLifetime = MaxAssertionLifetime
	}
	var err error
	if c.api, err = wire.New(first(cfg.API, DefaultAPI), cfg.Wire); err != nil {
		return nil, fmt.Errorf("stackit: new: API: %w", err)
	}
	if c.issue, err = wire.New(first(cfg.TokenEndpoint, cfg.Key.TokenEndpoint, DefaultTokenEndpoint), cfg.Wire); err != nil {
		return nil, fmt.Errorf("stackit: new: token endpoint: %w", err)
	}
	return c, nil
}

func first(texts ...string) string {
	for _, text := range texts {
		if text != "" {
			return text
		}
	}
	return ""
}

// isUUID reports whether text is a UUID in its usual form.
func isUUID(text string) bool {
	if len(text) != 36 {
		return false
	}
	for i := range len(text) {
		c := text[i]
		dash := i == 8 || i == 13 || i == 18 || i == 23
		if dash != (c == '-') || !dash && (c < '0' || c > '9') && (c < 'a' || c > 'f') && (c < 'A' || c > 'F') {
			return false
		}
	}
	return true
}

// Close zeroes the access token and closes idle connections. A call after it fetches a new token.
func (c *Client) Close() {
	c.busy <- struct{}{}
	c.token.Wipe()
	<-c.busy
	c.api.Close()
	c.issue.Close()
}

// do sends r with an access token to a path below the instance.
func (c *Client) do(ctx context.Context, r wire.Request) (*wire.Response, error) {
	token, err := c.accessToken(ctx)
	if err != nil {
		return nil, err
	}
	raw := token.Reveal()
	r.Header = map[string]string{"Authorization": "Bearer " + string(raw)}
	clear(raw)
	r.Path = append([]string{"v1", "projects", c.cfg.Project, "instances", c.cfg.Instance}, r.Path...)
	if r.Body != nil {
		r.ContentType = "application/json"
	}
	res, err := c.api.Do(ctx, r)
	if errors.Is(err, wire.ErrAuth) {
		token.Wipe() // the next call fetches a new one
	}
	return res, err
}

// Instance is the part of an instance's document that a boot needs.
type Instance struct {
	ID      string
	Name    string
	State   string
	Address string // of the Vault
	Mount   string // of the KV engine
	Secrets int64  // number of secrets, counted every hour
}

// Instance returns the instance's document, which says where its Vault is.
func (c *Client) Instance(ctx context.Context) (Instance, error) {
	res, err := c.do(ctx, wire.Request{Op: "stackit: instance", Method: http.MethodGet})
	if err != nil {
		return Instance{}, err
	}
	defer res.Wipe()
	i, err := decodeInstance(res.Object, c.cfg.Instance)
	if err != nil {
		return Instance{}, res.Malformed(err)
	}
	return i, nil
}

var errOtherInstance = errors.New("field id: another instance")

func decodeInstance(o *wire.Object, want string) (Instance, error) {
	i := Instance{ID: o.Text("id"), Name: o.Text("name"), State: o.Text("state"), Address: o.Text("apiUrl"), Mount: o.Text("secretsEngine")}
	if o.Has("secretCount") {
		i.Secrets = o.Int("secretCount")
	}
	if err := o.Err(); err != nil {
		return Instance{}, err
	}
	if i.ID != want {
		return Instance{}, errOtherInstance
	}
	return i, nil
}

// ACL is a network that may reach the instance's Vault.
type ACL struct {
	ID   string
	CIDR string
}

// ACLs returns the networks that may reach the instance's Vault. None means all.
func (c *Client) ACLs(ctx context.Context) ([]ACL, error) {
	res, err := c.do(ctx, wire.Request{Op: "stackit: list ACLs", Method: http.MethodGet, Path: []string{"acls"}})
	if err != nil {
		return nil, err
	}
	defer res.Wipe()
	var acls []ACL
	for _, o := range res.Objects("acls") {
		acls = append(acls, ACL{ID: o.Text("id"), CIDR: o.Text("cidr")})
	}
	return acls, res.Check()
}
