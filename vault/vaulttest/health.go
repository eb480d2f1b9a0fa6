package vaulttest

import (
	"net/http"
	"strconv"
)

// vaultVersion is the Vault that the answers are modelled on.
const vaultVersion = "1.13.3"

// healthCodes are the statuses of sys/health and the parameters that replace them.
var healthCodes = map[State]struct {
	status    int
	parameter string
}{
	Active:        {http.StatusOK, "activecode"},
	Standby:       {http.StatusTooManyRequests, "standbycode"},
	Sealed:        {http.StatusServiceUnavailable, "sealedcode"},
	Uninitialized: {http.StatusNotImplemented, "uninitcode"},
}

func (s *Server) health(r *request) answer {
	code := healthCodes[s.state]
	if status, err := strconv.Atoi(r.URL.Query().Get(code.parameter)); err == nil && status >= 200 && status <= 599 {
		code.status = status
	}
	return reply(code.status, map[string]any{
		"initialized": s.state != Uninitialized, "sealed": s.sealed(), "standby": s.state != Active,
		"performance_standby": false, "replication_performance_mode": "disabled", "replication_dr_mode": "disabled",
		"server_time_utc": s.cfg.Now().Unix(), "version": vaultVersion, "cluster_name": "vaulttest", "cluster_id": s.cfg.Project,
	})
}

func (s *Server) sealed() bool { return s.state == Sealed || s.state == Uninitialized }

func (s *Server) sealStatus(*request) answer {
	shares := 1
	if s.state == Uninitialized {
		shares = 0
	}
	return reply(http.StatusOK, map[string]any{
		"type": "shamir", "initialized": s.state != Uninitialized, "sealed": s.sealed(), "t": shares, "n": shares, "progress": 0,
		"nonce": "", "version": vaultVersion, "build_date": "2023-06-06T18:12:37Z", "migration": false, "recovery_seal": false,
		"storage_type": "inmem",
	})
}
