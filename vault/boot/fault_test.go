package boot_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/pioneerdesk/tomkit/vault/boot"
	"github.com/pioneerdesk/tomkit/vault/vaulttest"
)

// faults are what a server or a network may do to a call.
var faults = map[string]struct {
	fault  vaulttest.Fault
	passes bool // by trying again
}{
	"408":                  {vaulttest.Fault{Status: 408}, true},
	"429":                  {vaulttest.Fault{Status: 429}, true},
	"429 with Retry-After": {vaulttest.Fault{Status: 429, RetryAfter: "3"}, true},
	"500":                  {vaulttest.Fault{Status: 500}, true},
	"502":                  {vaulttest.Fault{Status: 502}, true},
	"503":                  {vaulttest.Fault{Status: 503}, true},
	"504":                  {vaulttest.Fault{Status: 504}, true},
	"a reset":              {vaulttest.Fault{Reset: true}, true},
	"a lost answer":        {vaulttest.Fault{LoseAnswer: true}, true},
	"a cut answer":         {vaulttest.Fault{Truncate: true}, true},
	"400":                  {vaulttest.Fault{Status: 400}, false},
	"401":                  {vaulttest.Fault{Status: 401}, false},
	"403":                  {vaulttest.Fault{Status: 403}, false},
	"409":                  {vaulttest.Fault{Status: 409}, false},
	"a redirect":           {vaulttest.Fault{Status: 302, Location: "https://elsewhere.example/"}, false},
	"half a document":      {vaulttest.Fault{Garble: true}, false},
	"an endless document":  {vaulttest.Fault{Oversize: 3 << 20}, false},
	"another type":         {vaulttest.Fault{ContentType: "text/html"}, false},
	"another document":     {vaulttest.Fault{Body: []byte(`{"a":[]}`)}, false},
}

// steps are the calls of a boot. The two that clean up answer without a document.
var steps = map[vaulttest.Step]struct{ cleanup bool }{
	vaulttest.StepToken: {}, vaulttest.StepListUsers: {}, vaulttest.StepInstance: {}, vaulttest.StepCreateUser: {}, vaulttest.StepLogin: {},
	vaulttest.StepRead: {}, vaulttest.StepRevoke: {true}, vaulttest.StepDeleteUser: {true},
}

// TestFaultMatrix breaks the first one, two, three or all calls of each step in each way.
func TestFaultMatrix(t *testing.T) {
	for step, kind := range steps {
		for name, f := range faults {
			for _, times := range []int{1, 2, 3, vaulttest.Every} {
				t.Run(fmt.Sprintf("%s, %s, %d times", step, name, times), func(t *testing.T) {
					t.Parallel()
					p := newPlane(t, vaulttest.Config{})
					for n := min(times, 1); n <= times; n++ {
						p.Inject(step, n, f.fault)
					}
					cfg := p.config(t)
					cfg.Manifest = manifest[:3] // a fault in the answer about an absent secret would change nothing
					snapshot, report, err := boot.Run(t.Context(), cfg)

					documentOnly := f.fault.Garble || f.fault.Oversize > 0 || f.fault.ContentType != "" || f.fault.Body != nil || f.fault.Truncate
					switch {
					case step == vaulttest.StepListUsers, // only the sweep needs it
						kind.cleanup && documentOnly,                                                     // there is none
						step == vaulttest.StepRevoke && f.fault.Status == 403,                            // may be forbidden
						times != vaulttest.Every && f.passes,                                             // waited for
						step == vaulttest.StepLogin && times != vaulttest.Every && grace(f.fault.Status): // given time to appear
						require.NoError(t, err)
						requireSecrets(t, snapshot)
					default:
						require.Error(t, err)
						require.Nil(t, snapshot)
						require.NotContains(t, err.Error(), password)
					}

					if report.Leftover == nil {
						require.Empty(t, p.boots())
						// A token whose answer did not arrive is known to nobody and ends by itself.
						unknown := step == vaulttest.StepLogin && (documentOnly || f.fault.LoseAnswer)
						if report.TokenUntil.IsZero() && !unknown {
							require.Empty(t, p.Tokens())
						}
					} else {
						require.True(t, kind.cleanup, "left behind although the plane works: %v", report.Leftover)
					}
					require.LessOrEqual(t, created(p), report.Tries, "more than one user in a try")
					require.LessOrEqual(t, len(p.boots()), 1)

					if len(p.boots()) == 0 {
						return
					}
					p.Heal() // what is left, the next boot removes
					p.clock.Advance(20 * time.Minute)
					_, _, err = boot.Run(t.Context(), p.config(t))
					require.NoError(t, err)
					require.Empty(t, p.boots())
				})
			}
		}
	}
}

func grace(status int) bool { return status == 400 || status == 401 || status == 403 }

// created counts the users that were made.
func created(p *plane) (n int) {
	for _, call := range p.Journal() {
		if call.Step == vaulttest.StepCreateUser && call.Happened {
			n++
		}
	}
	return n
}
