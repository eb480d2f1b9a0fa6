package remote

import (
	"strings"
	"testing"
)

func FuzzAddress(f *testing.F) {
	for _, address := range []string{"https://audit.example/a", "http://localhost", "http://127.0.0.1:80/", "https://u:p@h", "https://h?x", "http://[::1]"} {
		f.Add(address)
	}
	f.Fuzz(func(t *testing.T, address string) {
		u, err := parse(address)
		if err != nil {
			return
		}
		if u.User != nil || u.RawQuery != "" || u.Fragment != "" || u.Host == "" || !strings.HasSuffix(u.Path, "/") {
			t.Fatalf("%q", address)
		}
		if u.Scheme != "https" && !local(u.Hostname()) {
			t.Fatalf("%q in the clear", address)
		}
		if next := u.JoinPath("tile/entries/000"); next.Host != u.Host || next.Scheme != u.Scheme {
			t.Fatalf("%q leads away", address)
		}
	})
}
