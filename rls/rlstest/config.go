package rlstest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/pioneerdesk/tomkit/rls"
)

// Statements of the fuzzer where [Config.Statements] is zero.
const (
	DefaultStatements = 2_000
	SoakStatements    = 1_000_000 // under TOMKIT_SOAK=1
)

// DefaultRows is how many rows each tenant gets in each table where [Config.Rows] and the table's keys say nothing else.
const DefaultRows = 4

// Part is one of the three suites.
type Part string

// The suites.
const (
	Matrix Part = "matrix" // every verb on every table in every context
	Fuzzer Part = "fuzzer" // random statements against an oracle
	Corpus Part = "corpus" // injected SQL
)

// SetContext makes a transaction the tenant's: what the product does at the start of each request's transaction.
type SetContext func(ctx context.Context, tx pgx.Tx, tenant uuid.UUID) error

// Config names the database and what the catalogue cannot tell. The database must be one for tests: tenants and rows are
// added to it and stay there, and the schema rlstest_shadow is made in it.
type Config struct {
	// SuperuserURL connects as a superuser, who seeds, compares, and clears up. Required.
	SuperuserURL string
	// AppURL connects as the login under test. Required.
	AppURL string
	// MSPURL and SystemURL connect as tomkit's logins of that name. Empty leaves their cells out.
	MSPURL, SystemURL string
	// ContextKey signs tenant contexts with tomkit's own scopes. It is not used where SetContext is set.
	ContextKey rls.ContextKey
	// SetContext sets a tenant's context where the product does not use tomkit's signed one. Nil means tomkit's.
	SetContext SetContext
	// ForgeContext sets what an attacker would try in order to be the tenant without the right to. Nil leaves the cells
	// with a forged context out if SetContext is set; tomkit's contexts are forged in nine ways.
	ForgeContext SetContext
	// Setting is the custom setting that holds the context, for payloads that try to change it. Empty means app.tenant_id.
	Setting string
	// NoContextState is the SQLSTATE with which statements without a context fail. Empty means that they do not fail and
	// see no row; an INSERT is then refused with 42501.
	NoContextState string
	// Schemas are the schemas to test. Nil means all but those of PostgreSQL itself.
	Schemas []string
	// TenantColumn is the column that names a row's tenant, of type uuid. Empty means tenant_id.
	TenantColumn string
	// TenantColumns names it for single tables, by "schema.table", such as a table of tenants whose column is id.
	TenantColumns map[string]string
	// Tenants are the tenants to test with, of which the second is the foreign one. Zero ids are replaced by new tenants;
	// rows that the tenants have already are used.
	Tenants [2]uuid.UUID
	// Rows gives values for a row of a table ("schema.table") where the generator cannot find them; columns it leaves out
	// are generated. It is called for each row, so keys must differ from call to call.
	Rows func(table string, tenant uuid.UUID) (map[string]any, bool)
	// Values lists what a column ("schema.table.column") may hold.
	Values map[string][]any
	// Skip names tables ("schema.table"), cells ("schema.table DELETE own") or functions, by prefix, that are left out,
	// with the reason. They are listed in the report.
	Skip map[string]string
	// Expect gives the SQLSTATE a cell ends with by a rule of the product's own, such as a trigger.
	Expect map[string]string
	// RowsPerTenant is the number of rows per tenant and table. Zero means DefaultRows; negative is an error.
	RowsPerTenant int
	// Statements is the number of statements of the fuzzer. Zero means DefaultStatements, or SoakStatements if TOMKIT_SOAK
	// is 1 in the environment; negative is an error.
	Statements int
	// Payloads are the texts the corpus injects. Nil means those of the package, which [Payloads] returns.
	Payloads []Payload
	// Seed makes rows and statements repeatable. Zero means 1.
	Seed uint64
	// Parts are the suites to run. Nil means all.
	Parts []Part
}

func (cfg *Config) validate() error {
	switch {
	case cfg.SuperuserURL == "" || cfg.AppURL == "":
		return errors.New("rlstest: config: SuperuserURL and AppURL are needed")
	case cfg.RowsPerTenant < 0 || cfg.Statements < 0:
		return errors.New("rlstest: config: RowsPerTenant and Statements must not be negative")
	case cfg.Tenants[0] == cfg.Tenants[1] && cfg.Tenants[0] != uuid.Nil:
		return errors.New("rlstest: config: the two tenants are the same")
	}
	for _, p := range cfg.Parts {
		if p != Matrix && p != Fuzzer && p != Corpus {
			return fmt.Errorf("rlstest: config: no part is called %q", string(p))
		}
	}
	cfg.defaults()
	return nil
}

func (cfg *Config) defaults() {
	if cfg.TenantColumn == "" {
		cfg.TenantColumn = "tenant_id"
	}
	if cfg.Setting == "" {
		cfg.Setting = "app.tenant_id"
	}
	if cfg.RowsPerTenant == 0 {
		cfg.RowsPerTenant = DefaultRows
	}
	if cfg.Statements == 0 {
		cfg.Statements = DefaultStatements
		if os.Getenv("TOMKIT_SOAK") == "1" {
			cfg.Statements = SoakStatements
		}
	}
	if cfg.Seed == 0 {
		cfg.Seed = 1
	}
	if cfg.Payloads == nil {
		cfg.Payloads = Payloads()
	}
	for i := range cfg.Tenants {
		if cfg.Tenants[i] == uuid.Nil {
			cfg.Tenants[i] = uuid.New()
		}
	}
}

func (cfg *Config) wants(p Part) bool { return len(cfg.Parts) == 0 || slices.Contains(cfg.Parts, p) }
