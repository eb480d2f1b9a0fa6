package arch_test

import (
	"os/exec"
	"path"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// adapters may import a driver or a framework; the cores beside them may not, and may not import an adapter.
var adapters = []string{
	"rls", "rls/tenant", "rls/migrate", "rls/erasure", "rls/audit", "rls/rlstest",
	"ledger/pgledger", "authn/pgauthn", "heartbeat/pgsink",
	"abac/humaabac",
}

// leaves import no room; every room may import them.
var leaves = []string{"ledger/record", "internal/wait"}

// testRooms are imported by tests only, so they may import testing.
var testRooms = []string{"internal/pgtest", "internal/arch", "abac/abactest", "authn/authntest", "vault/vaulttest", "rls/rlstest", "ledger/ledgertest"}

// tops compose the rooms; nobody imports them but other tops.
var tops = []string{"cmd", "examples", "internal"}

// commonThirdParty is what any room may import besides the standard library.
var commonThirdParty = []string{"github.com/google/uuid", "golang.org/x/crypto", "golang.org/x/sync", "golang.org/x/text"}

// thirdParty is what single rooms may import besides commonThirdParty, by import path prefix.
var thirdParty = map[string][]string{
	"rls":               {"github.com/jackc/pgx/v5"},
	"rls/tenant":        {"github.com/jackc/pgx/v5"},
	"rls/migrate":       {"github.com/jackc/pgx/v5", "github.com/pressly/goose/v3"},
	"rls/erasure":       {"github.com/jackc/pgx/v5"},
	"rls/audit":         {"github.com/jackc/pgx/v5"},
	"rls/rlstest":       {"github.com/jackc/pgx/v5"},
	"ledger/pgledger":   {"github.com/jackc/pgx/v5", "golang.org/x/mod/sumdb/tlog"},
	"ledger/sign":       {"github.com/cloudflare/circl/sign", "golang.org/x/mod/sumdb/note"},
	"ledger/verify":     {"golang.org/x/mod/sumdb"},
	"ledger/witness":    {"golang.org/x/mod/sumdb/note"},
	"ledger/ledgertest": {"github.com/stretchr/testify"},
	"authn/pgauthn":     {"github.com/jackc/pgx/v5"},
	"authn/totp":        {"github.com/pquerna/otp"},
	"heartbeat/pgsink":  {"github.com/jackc/pgx/v5"},
	"heartbeat/collect": {"github.com/shirou/gopsutil/v4"},
	"abac/humaabac":     {"github.com/danielgtaylor/huma/v2"},
	"abac/abactest":     {"github.com/stretchr/testify"},
	"authn/authntest":   {"github.com/stretchr/testify"},
}

func TestImportsPointOneWay(t *testing.T) {
	for _, p := range rooms(t) {
		from := p.room()
		for _, imp := range p.Imports {
			to, inside := strings.CutPrefix(imp, module+"/")
			switch {
			case inside:
				require.Truef(t, mayImport(from, to), "%s must not import %s", from, to)
			case strings.Contains(strings.Split(imp, "/")[0], "."):
				require.Truef(t, mayUse(from, imp), "%s must not import %s", from, imp)
			}
		}
	}
}

// mayImport tells whether a room may import another room of this module.
func mayImport(from, to string) bool {
	if slices.Contains(leaves, from) {
		return false
	}
	if slices.Contains(leaves, to) {
		return true
	}
	if isTop(from) {
		return from != "internal/pglocal" // the launcher imports nothing
	}
	if isTop(to) {
		return false
	}
	if slices.Contains(testRooms, to) {
		return slices.Contains(testRooms, from)
	}
	if slices.Contains(adapters, to) {
		return slices.Contains(adapters, from) && family(to) == "rls"
	}
	if from == "ledger/verify" || from == "ledger/sign" {
		return from == "ledger/verify" && to == "ledger/sign"
	}
	return family(from) == family(to)
}

func mayUse(from, imp string) bool {
	if isTop(from) {
		return true
	}
	within := func(prefix string) bool { return imp == prefix || strings.HasPrefix(imp, prefix+"/") }
	if from == "ledger/verify" { // an audit tool imports it: not even uuid
		return slices.ContainsFunc(thirdParty[from], within)
	}
	return slices.ContainsFunc(commonThirdParty, within) || slices.ContainsFunc(thirdParty[from], within)
}

func family(room string) string { return strings.Split(room, "/")[0] }

func isTop(room string) bool { return slices.Contains(tops, family(room)) }

func TestRulesNameRoomsThatExist(t *testing.T) {
	var have []string
	for _, p := range rooms(t) {
		have = append(have, p.room())
	}
	named := slices.Concat(adapters, testRooms, leaves)
	for room := range thirdParty {
		named = append(named, room)
	}
	for _, room := range named {
		require.Contains(t, have, room)
	}
}

func TestTheOfflineVerifierHasACleanGraph(t *testing.T) {
	out, err := exec.Command("go", "list", "-deps", "-f", "{{if not .Standard}}{{.ImportPath}}{{end}}", module+"/ledger/verify").Output()
	require.NoError(t, err)
	allowed := []string{
		module + "/ledger/", "github.com/cloudflare/circl/", "golang.org/x/mod/", "golang.org/x/crypto/", "golang.org/x/sys/",
	}
	for dep := range strings.FieldsSeq(string(out)) {
		require.Truef(t, slices.ContainsFunc(allowed, func(prefix string) bool { return strings.HasPrefix(dep, prefix) }),
			"ledger/verify depends on %s", dep)
	}
}

func TestTheOfflineVerifierIsTestedWithTheStandardLibraryOnly(t *testing.T) {
	for _, p := range rooms(t) {
		if p.room() != "ledger/verify" {
			continue
		}
		for _, imp := range slices.Concat(p.TestImports, p.XTestImports) {
			external := strings.Contains(strings.Split(imp, "/")[0], ".")
			ok := !external || strings.HasPrefix(imp, module+"/ledger/") || strings.HasPrefix(imp, "golang.org/x/mod/")
			require.Truef(t, ok, "a test of ledger/verify imports %s", imp)
		}
	}
}

func TestTestingIsImportedByTestRoomsOnly(t *testing.T) {
	for _, p := range rooms(t) {
		if slices.Contains(testRooms, p.room()) {
			continue
		}
		for _, imp := range p.Imports {
			require.Falsef(t, imp == "testing" || strings.HasPrefix(imp, "testing/") || strings.Contains(imp, "stretchr/testify"),
				"%s imports %s outside its tests", p.room(), imp)
		}
	}
}

func TestTopLevelIsTheAgreedOne(t *testing.T) {
	allowed := []string{"", "ledger", "rls", "authn", "abac", "heartbeat", "agents", "cab", "vault", "examples", "cmd", "internal"}
	for _, p := range rooms(t) {
		require.Containsf(t, allowed, family(p.room()), "%s", path.Join(module, p.room()))
	}
}
