package report_test

import (
	"context"
	"crypto/x509"
	"fmt"
	"net/http"
	"net/http/httptest"

	"github.com/pioneerdesk/tomkit/heartbeat/report"
)

func Example() {
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(http.StatusAccepted)
		fmt.Fprint(w, `{"accepted":true,"next_seconds":60}`)
	}))
	defer server.Close()
	roots := x509.NewCertPool()
	roots.AddCert(server.Certificate())

	r, err := report.New(report.Config{Server: server.URL, Roots: roots, Credential: deviceToken})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer r.Close()
	fmt.Println(r.Send(context.Background(), sample(86_400)), r.Pending())
	// Output: <nil> 0
}
