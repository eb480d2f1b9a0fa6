package erasure

import "errors"

// Errors to branch on.
var (
	// ErrInvalid reports a register, a period or a request that cannot be used as it is.
	ErrInvalid = errors.New("erasure: invalid")
	// ErrCatalog reports a register that does not fit the database, see [CatalogError].
	ErrCatalog = errors.New("erasure: check: register does not fit the database")
	// ErrHeld reports a deletion that a legal hold forbids.
	ErrHeld = errors.New("erasure: a legal hold forbids the deletion")
	// ErrBounds reports an override outside the category's legal minimum and maximum.
	ErrBounds = errors.New("erasure: override: outside the category's bounds")
	// ErrUnknown reports a tenant, category, hold or job that does not exist, or not in this scope.
	ErrUnknown = errors.New("erasure: unknown")
	// ErrConfirm reports a tenant's deletion whose confirmation is not the tenant's slug.
	ErrConfirm = errors.New("erasure: delete tenant: confirmation is not the tenant's slug")
	// ErrOperator reports the deletion of the operator's own tenant.
	ErrOperator = errors.New("erasure: delete tenant: the operator cannot be deleted")
	// ErrStores reports that outside stores have not confirmed; the job can be resumed.
	ErrStores = errors.New("erasure: delete tenant: outside stores have not confirmed")
	// ErrLeftover reports a tenant's rows after its deletion, see [LeftoverError].
	ErrLeftover = errors.New("erasure: delete tenant: rows remain")
)

// Text is one text in both languages of the house.
type Text struct {
	DE string `json:"de"`
	EN string `json:"en"`
}

func (t Text) empty() bool { return t.DE == "" || t.EN == "" }

// Register is the record of processing activities (Art. 30 GDPR) as data: which tables hold what, why, for whom and how long.
// Everything in this package follows it.
type Register struct {
	// Controller and Officer name the controller and the data protection officer, with contact. Empty is rendered as a gap
	// to be filled in.
	Controller, Officer string
	// Measures describes the technical and organisational measures, Art. 30(1)(g), or says where they are.
	Measures Text
	// People is the table whose rows are the persons, such as "tomkit.users": a foreign key to it that no Person declares is
	// an error. Empty means there is none.
	People string
	// Categories are the kinds of data. Each tenant table is in exactly one of them or exempt.
	Categories []Category
	// Exempt are tenant tables that belong to no category.
	Exempt []Exemption
}

// Category is one processing activity with its data.
type Category struct {
	// ID names it: 1–64 of a-z, 0-9 and '_', beginning with a letter.
	ID string
	// Name is its title; Purpose says what the data is for (Art. 5(1)(b)), Basis the legal basis (Art. 6), Subjects whose
	// data it is, Recipients who gets it, Transfers what leaves the EEA.
	Name, Purpose, Basis, Subjects, Recipients, Transfers Text
	// Retention says how long the data is kept.
	Retention Retention
	// Tables hold the data.
	Tables []Table
}

// Retention says how long a category is kept (Art. 5(1)(e)).
type Retention struct {
	// Period is the standard. Zero means that time deletes nothing, for a reason Note gives.
	Period Period
	// Min and Max bound a tenant's override, as the law demands or allows. Zero means no bound.
	Min, Max Period
	// Note explains the period, or what ends the processing where there is none.
	Note Text
}

// Table is one table of a category.
type Table struct {
	// Name is schema and table, "tomkit.tickets", exactly as the catalog has them.
	Name string
	// Time is the column the period counts from, timestamptz, or date for rows about a day (UTC), which then expire a day
	// later. A row where it is NULL has not begun to age. Empty means that rows of this table do not expire by themselves.
	Time string
	// Where narrows which rows expire; all conditions must hold.
	Where []Condition
	// Anonymise replaces these columns of expired rows. Nil means that the rows are deleted.
	Anonymise map[string]Replacement
	// People are the columns that name a person.
	People []Person
	// Secret are columns that no export shows. Columns of text, bytes or JSON whose names speak of passwords, secrets,
	// hashes, tokens or keys are never shown, declared or not.
	Secret []string
}

// Test is what a [Condition] asks of a column.
type Test string

// The tests.
const (
	IsNull  Test = "is_null"
	NotNull Test = "not_null"
	OneOf   Test = "one_of"  // text form is one of Values
	NoneOf  Test = "none_of" // text form is not NULL and none of Values
)

// Condition is a test of one column.
type Condition struct {
	Column string
	Test   Test
	Values []string
}

// Person is a column that names a person, and what becomes of the person's rows when the person is erased (Art. 17).
type Person struct {
	// Column holds the person's id, as uuid or text.
	Column string
	// Erase says what happens.
	Erase Action
	// Replace are the further columns that Anonymise replaces. The column itself becomes NULL unless it is named here.
	Replace map[string]Replacement
	// Why gives the reason of Keep, Art. 17(3).
	Why Text
}

// Action is what erasing a person does to a row.
type Action string

// The actions.
const (
	// Delete deletes the row.
	Delete Action = "delete"
	// Anonymise keeps the row without the person.
	Anonymise Action = "anonymise"
	// Cascade leaves the row to a foreign key that deletes it, or clears the column, with a row that the erasure deletes.
	Cascade Action = "cascade"
	// Keep leaves the row, for a reason the law gives.
	Keep Action = "keep"
)

// Replacement is what stands in place of a value. The zero Replacement is NULL.
type Replacement struct {
	pseudonym, text bool
	value           string
}

// Null replaces a value by NULL.
func Null() Replacement { return Replacement{} }

// Pseudonym replaces an id by a random UUID that is stored nowhere else. The rows of one person's erasure get the same one,
// expired rows one each.
func Pseudonym() Replacement { return Replacement{pseudonym: true} }

// Fixed replaces a value by a text.
func Fixed(text string) Replacement { return Replacement{text: true, value: text} }

// Exemption is a tenant table outside the categories.
type Exemption struct {
	// Table is schema and table.
	Table string
	// Why gives the reason.
	Why Text
	// Stays keeps the table's rows when the tenant is deleted: the ledger. Otherwise they go with it.
	Stays bool
}

// own are this package's tables.
func own() []Exemption {
	return []Exemption{
		{Table: "tomkit.retention_overrides", Why: Text{"Einstellungen der Löschfristen", "settings of the retention periods"}},
		{Table: "tomkit.legal_holds", Why: Text{"Löschsperren", "legal holds"}},
		{Table: "tomkit.erasure_jobs", Why: Text{"Nachweis der Mandantenlöschung", "evidence of the tenant's deletion"}, Stays: true},
	}
}

// replacements are all columns that erasing the person replaces.
func (p *Person) replacements() map[string]Replacement {
	all := map[string]Replacement{p.Column: Null()}
	for column, r := range p.Replace {
		all[column] = r
	}
	return all
}

// markers are the replaced columns that show whether a row is anonymised already.
func markers(replace map[string]Replacement) []string {
	var columns []string
	for column, r := range replace {
		if !r.pseudonym {
			columns = append(columns, column)
		}
	}
	return columns
}
