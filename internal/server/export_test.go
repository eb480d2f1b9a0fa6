package server

import (
	"context"
	"net/http"
)

// Handler is the whole HTTP surface, as the listener serves it.
func (s *Server) Handler() http.Handler { return s.handler }

// MetricsHandler is what the metrics listener serves.
func (s *Server) MetricsHandler() http.Handler { return s.metrics.handler() }

// FlushAccounts stores the accounts of System scopes now.
func (s *Server) FlushAccounts(ctx context.Context) error { return s.accounts.Flush(ctx) }

// Ready and CheckJSON are parts that can be asked alone.
var (
	Ready     = ready
	CheckJSON = checkJSON
	Recovered = recovered
)
