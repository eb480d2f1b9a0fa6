package server

import (
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/pioneerdesk/tomkit/heartbeat"
	"github.com/pioneerdesk/tomkit/rls"
	"github.com/pioneerdesk/tomkit/rls/erasure"
)

// metrics counts what operators watch. Labels come from closed sets: routes, methods, reasons; never tenants, users or paths.
type metrics struct {
	registry *prometheus.Registry
	requests *prometheus.CounterVec
	latency  *prometheus.HistogramVec
	denies   *prometheus.CounterVec
	scopes   *prometheus.CounterVec
	expired  *prometheus.CounterVec
}

func newMetrics() *metrics {
	m := &metrics{
		registry: prometheus.NewRegistry(),
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "tomkit_http_requests_total", Help: "Answered requests by route and status."}, []string{"route", "status"}),
		latency:  prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "tomkit_http_request_seconds", Help: "Time to answer, by route.", Buckets: prometheus.ExponentialBuckets(0.0005, 3, 10)}, []string{"route"}),
		denies:   prometheus.NewCounterVec(prometheus.CounterOpts{Name: "tomkit_denied_total", Help: "Requests denied by the policy engine, by reason."}, []string{"reason"}),
		scopes:   prometheus.NewCounterVec(prometheus.CounterOpts{Name: "tomkit_system_scopes_total", Help: "Uses of the system login, by purpose and outcome."}, []string{"reason", "outcome"}),
		expired:  prometheus.NewCounterVec(prometheus.CounterOpts{Name: "tomkit_retention_rows_total", Help: "Rows that retention deleted or anonymised, by category of the record of processing."}, []string{"category", "action"}),
	}
	m.registry.MustRegister(m.requests, m.latency, m.denies, m.scopes, m.expired, collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m
}

// beats exposes the counters of the heartbeat's group commit.
func (m *metrics) beats(stats func() heartbeat.Stats) {
	for name, read := range map[string]func(heartbeat.Stats) uint64{
		"tomkit_heartbeats_stored_total":       func(s heartbeat.Stats) uint64 { return s.Stored },
		"tomkit_heartbeats_merged_total":       func(s heartbeat.Stats) uint64 { return s.Merged },
		"tomkit_heartbeats_dead_letters_total": func(s heartbeat.Stats) uint64 { return s.DeadLetters },
		"tomkit_heartbeats_overloaded_total":   func(s heartbeat.Stats) uint64 { return s.Overloaded },
		"tomkit_heartbeat_flushes_total":       func(s heartbeat.Stats) uint64 { return s.Flushes },
		"tomkit_heartbeat_failures_total":      func(s heartbeat.Stats) uint64 { return s.Failures },
	} {
		m.registry.MustRegister(prometheus.NewCounterFunc(prometheus.CounterOpts{Name: name, Help: "See heartbeat.Stats."}, func() float64 { return float64(read(stats())) }))
	}
	m.registry.MustRegister(
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "tomkit_heartbeats_waiting", Help: "Beats that wait for a commit."}, func() float64 { return float64(stats().QueueLength) }),
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "tomkit_heartbeat_lag_seconds", Help: "Accept to answer, first beat of the last flush."}, func() float64 { return stats().Lag.Seconds() }),
	)
}

// pools exposes how busy the connections of each login are: waits that grow say that a pool is too small.
func (m *metrics) pools(db *rls.DB) {
	for _, login := range []string{rls.RoleApp, rls.RoleMSP, rls.RoleSystem} {
		if db.Stat(login) == nil {
			continue // not configured
		}
		for name, read := range map[string]func(*pgxpool.Stat) float64{
			"tomkit_database_connections_max":      func(s *pgxpool.Stat) float64 { return float64(s.MaxConns()) },
			"tomkit_database_connections_acquired": func(s *pgxpool.Stat) float64 { return float64(s.AcquiredConns()) },
			"tomkit_database_waits_total":          func(s *pgxpool.Stat) float64 { return float64(s.EmptyAcquireCount()) },
			"tomkit_database_wait_seconds_total":   func(s *pgxpool.Stat) float64 { return s.EmptyAcquireWaitTime().Seconds() },
		} {
			opts := prometheus.Opts{Name: name, Help: "See rls.DB.Stat.", ConstLabels: prometheus.Labels{"login": login}}
			value := func() float64 { return read(db.Stat(login)) }
			if strings.HasSuffix(name, "_total") {
				m.registry.MustRegister(prometheus.NewCounterFunc(prometheus.CounterOpts(opts), value))
			} else {
				m.registry.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts(opts), value))
			}
		}
	}
}

// used counts a use of the system login.
func (m *metrics) used(use rls.SystemUse) {
	outcome := "committed"
	if use.Err != nil {
		outcome = "failed"
	}
	m.scopes.WithLabelValues(string(use.Reason), outcome).Inc()
}

// retained counts what retention did in a table of a tenant.
func (m *metrics) retained(line erasure.Line) {
	m.expired.WithLabelValues(line.Category, string(line.Action)).Add(float64(line.Rows))
}

// measured counts what mux answers. It stands directly in front of mux, which writes the matched pattern into the request.
func (m *metrics) measured(mux http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		began, seen := time.Now(), &statusWriter{ResponseWriter: w, status: http.StatusOK}
		mux.ServeHTTP(seen, r)
		route := r.Pattern
		if route == "" {
			route = "none"
		}
		m.requests.WithLabelValues(route, strconv.Itoa(seen.status)).Inc()
		m.latency.WithLabelValues(route).Observe(time.Since(began).Seconds())
	})
}

func (m *metrics) handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{Registry: m.registry})
}

// statusWriter remembers the status.
type statusWriter struct {
	http.ResponseWriter
	status int
}

// WriteHeader implements http.ResponseWriter.
func (w *statusWriter) WriteHeader(status int) {
	w.status = status
	w.ResponseWriter.WriteHeader(status)
}

// Unwrap lets http.ResponseController reach the connection.
func (w *statusWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }
