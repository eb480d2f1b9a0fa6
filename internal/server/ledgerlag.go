package server

import (
	"context"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/pioneerdesk/tomkit/ledger/pgledger"
)

// ledger exposes how far checkpoints and anchors lag behind. A scrape asks the database at most every few seconds.
func (m *metrics) ledger(health func(context.Context) (pgledger.Health, error), now func() time.Time) *ledgerLag {
	lag := &ledgerLag{health: health, now: now,
		unpublished: prometheus.NewDesc("tomkit_ledger_unpublished_seconds", "Age of the oldest entry that no checkpoint covers.", nil, nil),
		behind:      prometheus.NewDesc("tomkit_ledger_anchor_behind_seconds", "Age of the oldest entry that no checkpoint an anchor has seen covers.", []string{"anchor"}, nil),
		up:          prometheus.NewDesc("tomkit_ledger_health_up", "1 if the ledger's health could be asked.", nil, nil),
	}
	m.registry.MustRegister(lag)
	return lag
}

// ledgerLag is a collector of the ledger's health.
type ledgerLag struct {
	health                  func(context.Context) (pgledger.Health, error)
	now                     func() time.Time
	unpublished, behind, up *prometheus.Desc

	mu   sync.Mutex
	at   time.Time
	last pgledger.Health
	err  error
}

const ledgerLagFor = 5 * time.Second

// Describe implements prometheus.Collector.
func (c *ledgerLag) Describe(ch chan<- *prometheus.Desc) {
	ch <- c.unpublished
	ch <- c.behind
	ch <- c.up
}

// get returns the ledger's health as of a few seconds ago.
func (c *ledgerLag) get(ctx context.Context) (pgledger.Health, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if now := c.now(); c.at.IsZero() || now.Sub(c.at) >= ledgerLagFor {
		ctx, cancel := context.WithTimeout(ctx, probeTimeout)
		defer cancel()
		c.last, c.err = c.health(ctx)
		c.at = now
	}
	return c.last, c.err
}

// Collect implements prometheus.Collector.
func (c *ledgerLag) Collect(ch chan<- prometheus.Metric) {
	h, err := c.get(context.Background())
	if err != nil {
		ch <- prometheus.MustNewConstMetric(c.up, prometheus.GaugeValue, 0)
		return
	}
	ch <- prometheus.MustNewConstMetric(c.up, prometheus.GaugeValue, 1)
	ch <- prometheus.MustNewConstMetric(c.unpublished, prometheus.GaugeValue, h.Unpublished.Seconds())
	for _, a := range h.Anchors {
		ch <- prometheus.MustNewConstMetric(c.behind, prometheus.GaugeValue, a.Behind.Seconds(), a.Name)
	}
}
