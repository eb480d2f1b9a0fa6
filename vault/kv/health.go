package kv

import (
	"context"
	"net/http"

	"github.com/pioneerdesk/tomkit/vault"
	"github.com/pioneerdesk/tomkit/vault/wire"
)

// Statuses that only a Vault answers with.
const (
	statusSecondary          = 472 // disaster recovery secondary
	statusPerformanceStandby = 473
)

// Health is the state of the node that answered.
type Health struct {
	Status                       int // HTTP status: 200 active, 429 standby, 472, 473, 501 not initialised, 503 sealed
	Initialized, Sealed, Standby bool
	Version                      string
}

// Ready reports whether the node serves requests: initialised, unsealed and active.
func (h Health) Ready() bool {
	return h.Status == http.StatusOK && h.Initialized && !h.Sealed && !h.Standby
}

// Health asks the node how it is, without a login. That it is sealed or on standby is an answer and no error.
func (c *Client) Health(ctx context.Context) (Health, error) {
	res, err := c.do(ctx, vault.Secret{}, wire.Request{
		Op: "kv: health", Method: http.MethodGet, Path: []string{"sys", "health"},
		Accept: []int{http.StatusTooManyRequests, statusSecondary, statusPerformanceStandby, http.StatusNotImplemented, http.StatusServiceUnavailable},
	})
	if err != nil {
		return Health{}, err
	}
	defer res.Wipe()
	h := Health{
		Status: res.Status, Initialized: res.Bool("initialized"), Sealed: res.Bool("sealed"), Standby: res.Bool("standby"),
		Version: res.Text("version"),
	}
	if res.Check() != nil {
		return Health{}, res.Fail(nil) // a proxy's page and not the Vault's document
	}
	return h, nil
}

// SealStatus is how far a Vault is from being unsealed.
type SealStatus struct {
	Initialized, Sealed bool
	Threshold, Shares   int64 // key shares needed, and there are
	Progress            int64 // key shares given so far
	Version             string
}

// SealStatus asks for the state of the seal, without a login.
func (c *Client) SealStatus(ctx context.Context) (SealStatus, error) {
	res, err := c.do(ctx, vault.Secret{}, wire.Request{Op: "kv: seal status", Method: http.MethodGet, Path: []string{"sys", "seal-status"}})
	if err != nil {
		return SealStatus{}, err
	}
	defer res.Wipe()
	s := SealStatus{
		Initialized: res.Bool("initialized"), Sealed: res.Bool("sealed"),
		Threshold: res.Int("t"), Shares: res.Int("n"), Progress: res.Int("progress"), Version: res.Text("version"),
	}
	return s, res.Check()
}
