package reference

import "slices"

// Category says what kind of data a table holds.
type Category string

// The categories of the record of processing activities. The first six are those of TOM 2.1.
const (
	// Identity is people, their rights and what they prove themselves by.
	Identity Category = "identity"
	// Device is inventory and commands of endpoints (CMDB).
	Device Category = "device"
	// Telemetry is measurements, events and alerts.
	Telemetry Category = "telemetry"
	// Service is tickets and the work of agents on them.
	Service Category = "service"
	// Compliance is evidence: the ledger, checks, reports, webhooks.
	Compliance Category = "compliance"
	// Security is findings and what is done about them.
	Security Category = "security"
	// Organisation is the hierarchy of operator, MSPs and tenants.
	Organisation Category = "organisation"
)

// Table describes a protected table for the record of processing activities.
type Table struct {
	// Name is the table's name in schema tomkit.
	Name string
	// Category is what kind of data it holds.
	Category Category
	// German and English say what for.
	German, English string
	// Personal says that rows can name, or be about, a person.
	Personal bool
	// Age is the timestamptz column that retention counts from. Temporary data has expires_at. It is empty where rows live as long as
	// what they belong to.
	Age string
	// Kept says that the rows outlive their tenant: the ledger's.
	Kept bool
}

// Tables returns every protected table of the reference schema, this room's and the others', sorted by name. The caller may change
// the slice.
func Tables() []Table {
	all := slices.Concat(identity, devices, telemetry, service, compliance, security, organisation)
	slices.SortFunc(all, func(a, b Table) int {
		if a.Name < b.Name {
			return -1
		}
		return 1
	})
	return all
}
