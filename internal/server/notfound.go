package server

import "net/http"

// worded turns the plain-text answers of the standard library's mux, 404 and 405, into problem documents.
func worded(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		next.ServeHTTP(&wordedWriter{ResponseWriter: w, request: r}, r)
	})
}

type wordedWriter struct {
	http.ResponseWriter
	request *http.Request
	replace bool // the rest of the plain text is dropped
}

// WriteHeader implements http.ResponseWriter.
func (w *wordedWriter) WriteHeader(status int) {
	if w.Header().Get("Content-Type") != "text/plain; charset=utf-8" {
		w.ResponseWriter.WriteHeader(status)
		return
	}
	switch status {
	case http.StatusNotFound:
		w.replace = true
		writeProblem(w.ResponseWriter, w.request, newProblem(status, "not_found", "There is nothing at this address."))
	case http.StatusMethodNotAllowed:
		w.replace = true
		writeProblem(w.ResponseWriter, w.request, newProblem(status, "method", "This address does not know the method."))
	default:
		w.ResponseWriter.WriteHeader(status)
	}
}

// Write implements http.ResponseWriter.
func (w *wordedWriter) Write(p []byte) (int, error) {
	if w.replace {
		return len(p), nil
	}
	return w.ResponseWriter.Write(p)
}

// Unwrap lets http.ResponseController reach the connection.
func (w *wordedWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }
