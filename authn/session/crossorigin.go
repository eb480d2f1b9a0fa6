package session

import (
	"errors"
	"fmt"
	"net/http"
)

// ErrCrossOrigin says that a browser sent a state-changing request from another origin.
var ErrCrossOrigin = errors.New("session: cross-origin request")

// CrossOriginConfig tunes CrossOrigin. The zero value trusts the server's own origin alone.
type CrossOriginConfig struct {
	// TrustedOrigins may send state-changing requests too: scheme://host[:port], without a path.
	TrustedOrigins []string
	// OnError answers a refused request; err matches ErrCrossOrigin. Nil means a bare 403.
	OnError func(w http.ResponseWriter, r *http.Request, err error)
}

// CrossOrigin returns a middleware that refuses state-changing requests which browsers mark as coming from another
// origin, by Sec-Fetch-Site or Origin. GET, HEAD and OPTIONS pass: they must not change state. Requests without both headers
// are not from a browser and pass as well; they bring no cookies of a victim.
func CrossOrigin(cfg CrossOriginConfig) (func(http.Handler) http.Handler, error) {
	protection := http.NewCrossOriginProtection()
	for _, origin := range cfg.TrustedOrigins {
		if err := protection.AddTrustedOrigin(origin); err != nil {
			return nil, fmt.Errorf("session: cross origin: trusted origin: %w", err)
		}
	}
	deny := cfg.OnError
	if deny == nil {
		deny = func(w http.ResponseWriter, _ *http.Request, _ error) {
			http.Error(w, http.StatusText(http.StatusForbidden), http.StatusForbidden)
		}
	}
	protection.SetDenyHandler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { deny(w, r, ErrCrossOrigin) }))
	return protection.Handler, nil
}
