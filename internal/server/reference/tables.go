package reference

import (
	"slices"
	"strings"

	"github.com/pioneerdesk/tomkit/rls/erasure"
)

// Table describes a protected table.
type Table struct {
	erasure.Table
	// Category is its category in the record of processing activities, see [Processing], or the group that is exempt.
	Category string
	// Holds says what is in it.
	Holds erasure.Text
	// Kept says that the rows outlive their tenant: the ledger's, and the evidence of the tenant's deletion.
	Kept bool
}

// Groups of tables that are in no category.
const (
	organisation = "organisation" // who is who
	providers    = "providers"    // rows of MSPs, not of tenants
	ledger       = "ledger"
	lifecycle    = "lifecycle" // rls/erasure's own, which it exempts itself
)

// Tables returns every protected table of the reference schema, this room's and the others', sorted by name. The caller may change
// the slice.
func Tables() (all []Table) {
	for category, tables := range register {
		for _, t := range tables {
			t.Category = category
			all = append(all, t)
		}
	}
	slices.SortFunc(all, func(a, b Table) int { return strings.Compare(a.Name, b.Name) })
	return all
}

// account is the row of a person's account.
var account = erasure.Person{Column: "id", Erase: erasure.Delete}

// enrolled is who made an enrolment token: the device stays explainable, the person does not.
var enrolled = erasure.Person{Column: "created_by", Erase: erasure.Anonymise, Replace: map[string]erasure.Replacement{"created_by": erasure.Pseudonym()}}

// gone are persons whom a foreign key removes when the account goes.
func gone(columns ...string) (people []erasure.Person) {
	for _, c := range columns {
		people = append(people, erasure.Person{Column: c, Erase: erasure.Cascade})
	}
	return people
}

func line(name, time, german, english string, people ...erasure.Person) Table {
	return Table{Table: erasure.Table{Name: "tomkit." + name, Time: time, People: people}, Holds: erasure.Text{DE: german, EN: english}}
}

// kept marks a table whose rows outlive their tenant.
func kept(t Table) Table {
	t.Kept = true
	return t
}

// once lets only windows end that do not come again.
func once(t Table) Table {
	t.Where = []erasure.Condition{{Column: "recurrence", Test: erasure.OneOf, Values: []string{"once"}}}
	return t
}
