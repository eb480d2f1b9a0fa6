package kv

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"github.com/pioneerdesk/tomkit/vault"
	"github.com/pioneerdesk/tomkit/vault/wire"
)

// Config says which Vault to talk to. Address, Mount and Wire.Roots are required.
type Config struct {
	// Address is the Vault's: https://host[:port], with an optional path in front of /v1.
	Address string
	// Mount is the path of the KV engine, version 2; of an instance at STACKIT its secretsEngine.
	Mount string
	// Namespace is sent as X-Vault-Namespace. Empty sends none.
	Namespace string
	// UserpassMount and AppRoleMount are the paths of the login methods. Empty means userpass and approle.
	UserpassMount, AppRoleMount string
	// MaxKeys is the number of names, folders included, that [Session.Walk] collects. Zero means 1,000; negative is an error.
	MaxKeys int
	// MaxDepth is the number of folders Walk goes down. Zero means 8; negative is an error.
	MaxDepth int
	// Wire tunes the connection: roots, pins, timeouts, caps.
	Wire wire.Config
}

// Client talks to one Vault. It is safe for concurrent use.
type Client struct {
	cfg                      Config
	wire                     *wire.Client
	mount, userpass, approle []string
}

// New returns a Client. It does not connect. The error is [wire.ErrConfig].
func New(cfg Config) (*Client, error) {
	if cfg.MaxKeys < 0 || cfg.MaxDepth < 0 {
		return nil, fmt.Errorf("kv: new: %w: negative value", wire.ErrConfig)
	}
	cfg.MaxKeys = orDefault(cfg.MaxKeys, 1000)
	cfg.MaxDepth = orDefault(cfg.MaxDepth, 8)
	cfg.UserpassMount = orDefault(cfg.UserpassMount, "userpass")
	cfg.AppRoleMount = orDefault(cfg.AppRoleMount, "approle")
	c := &Client{cfg: cfg}
	for _, p := range []struct {
		to   *[]string
		path string
	}{{&c.mount, cfg.Mount}, {&c.userpass, cfg.UserpassMount}, {&c.approle, cfg.AppRoleMount}} {
		segments, err := split(p.path)
		if err != nil {
			return nil, fmt.Errorf("kv: new: %w: mount: %w", wire.ErrConfig, err)
		}
		*p.to = segments
	}
	var err error
	if c.wire, err = wire.New(cfg.Address, cfg.Wire); err != nil {
		return nil, fmt.Errorf("kv: new: %w", err)
	}
	return c, nil
}

func orDefault[T comparable](v, fallback T) T {
	var zero T
	if v == zero {
		return fallback
	}
	return v
}

// Close closes idle connections.
func (c *Client) Close() { c.wire.Close() }

// do sends r below /v1 and gives the answers of a Vault their class.
func (c *Client) do(ctx context.Context, token vault.Secret, r wire.Request) (*wire.Response, error) {
	r.Path = append([]string{"v1"}, r.Path...)
	r.Header = map[string]string{"X-Vault-Request": "true"}
	if c.cfg.Namespace != "" {
		r.Header["X-Vault-Namespace"] = c.cfg.Namespace
	}
	if token.Len() > 0 {
		raw := token.Reveal()
		r.Header["X-Vault-Token"] = string(raw)
		clear(raw)
	}
	if r.Body != nil {
		r.ContentType = "application/json"
	}
	res, err := c.wire.Do(ctx, r)
	if e := (*wire.Error)(nil); errors.As(err, &e) {
		switch e.Status {
		case http.StatusServiceUnavailable, statusSecondary, statusPerformanceStandby:
			e.Class = wire.ErrSealed
		}
	}
	return res, err
}
