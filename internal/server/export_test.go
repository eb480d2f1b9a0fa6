package server

import "net/http"

// Handler is the whole HTTP surface, as the listener serves it.
func (s *Server) Handler() http.Handler { return s.handler }

// Ready and CheckJSON are parts that can be asked alone.
var (
	Ready     = ready
	CheckJSON = checkJSON
	Recovered = recovered
)
