package report_test

import (
	"crypto/x509"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/pioneerdesk/tomkit/heartbeat"
	"github.com/pioneerdesk/tomkit/heartbeat/report"
)

func TestEnrol(t *testing.T) {
	want := heartbeat.EnrolResponse{Tenant: uuid.New(), Device: uuid.New(), Credential: deviceToken}
	req := heartbeat.EnrolRequest{Token: enrolToken, Name: "ward-3-pc", OS: "linux", Arch: "amd64", MachineID: strings.Repeat("a", 64)}
	var got heartbeat.EnrolRequest
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		got, _ = heartbeat.ParseEnrolRequest(body)
		if r.URL.Path != "/v1/enrol" || r.Header.Get("Authorization") != "" {
			w.WriteHeader(http.StatusNotFound)
			return
		}
		w.WriteHeader(http.StatusCreated)
		fmt.Fprintf(w, `{"tenant":%q,"device":%q,"credential":%q}`, want.Tenant, want.Device, deviceToken)
	})
	cfg := s.config(&pauses{})
	cfg.Credential = ""
	res, err := report.Enrol(t.Context(), cfg, req)
	require.NoError(t, err)
	require.Equal(t, want, res)
	require.Equal(t, req, got)

	for name, tc := range map[string]struct {
		h    http.HandlerFunc
		want error
	}{
		"a spent token is not accepted":       {problem(401), report.ErrRevoked},
		"a conflict is refused":               {problem(409), report.ErrRefused},
		"an outage is told":                   {problem(503), report.ErrUnavailable},
		"an answer without credential is not": {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(201); fmt.Fprint(w, `{}`) }, heartbeat.ErrInvalid},
	} {
		t.Run(name, func(t *testing.T) {
			s := serve(t, tc.h)
			_, err := report.Enrol(t.Context(), s.config(&pauses{}), req)
			require.ErrorIs(t, err, tc.want)
			require.NotContains(t, err.Error(), secretPart)
			require.Equal(t, 1, s.requests, "a token is tried once")
		})
	}
	t.Run("an invalid request is not sent", func(t *testing.T) {
		_, err := report.Enrol(t.Context(), cfg, heartbeat.EnrolRequest{})
		require.ErrorIs(t, err, heartbeat.ErrInvalid)
	})
}

func TestConfigRefuses(t *testing.T) {
	valid := report.Config{Server: "https://tomkit.example", Roots: x509.NewCertPool(), Credential: deviceToken}
	_, err := report.New(valid)
	require.NoError(t, err)
	for name, change := range map[string]func(*report.Config){
		"plain HTTP":            func(c *report.Config) { c.Server = "http://tomkit.example" },
		"no server":             func(c *report.Config) { c.Server = "" },
		"a server without host": func(c *report.Config) { c.Server = "https:///x" },
		"a user in the address": func(c *report.Config) { c.Server = "https://a:b@tomkit.example" },
		"a query":               func(c *report.Config) { c.Server = "https://tomkit.example/?x=1" },
		"no authorities":        func(c *report.Config) { c.Roots = nil },
		"no credential":         func(c *report.Config) { c.Credential = "" },
		"an enrolment token":    func(c *report.Config) { c.Credential = enrolToken },
		"a hasty interval":      func(c *report.Config) { c.Interval = time.Second },
		"a negative interval":   func(c *report.Config) { c.Interval = -1 },
		"negative attempts":     func(c *report.Config) { c.Attempts = -1 },
		"a negative spill":      func(c *report.Config) { c.Spill = -1 },
		"a negative timeout":    func(c *report.Config) { c.Timeout = -1 },
		"a negative backoff":    func(c *report.Config) { c.Backoff = -1 },
	} {
		t.Run(name, func(t *testing.T) {
			cfg := valid
			change(&cfg)
			_, err := report.New(cfg)
			require.ErrorIs(t, err, report.ErrConfig)
			require.NotContains(t, err.Error(), secretPart)
		})
	}
}
