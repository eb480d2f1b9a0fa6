package abac

// Clearance is what a subject is cleared for, asked by [Cleared]. The Clearance of package label is one.
type Clearance interface {
	// Clears reports whether its holder may see what carries label. It is false for nil and for labels it does not know,
	// and safe for concurrent use.
	Clears(label any) bool
}

// Cleared demands that the subject's clearance clears the resource's label. It denies with [LabelTooLow], also without a
// clearance and without a label: what is not labelled is shown to nobody.
func Cleared() Condition { return Condition{kind: cleared} }
