// Package label holds confidentiality labels (TOM 7.2): what a document or record is classified as, who is cleared for it,
// and the two written forms, the XML of STANAG 4774 and a compact text for headers, columns and logs.
//
// A [Label] is data: policy, classification, categories, times. A [Policy] is what gives it a meaning: which
// classification stands above which, and which tag is of which type. A [Clearance] is made by a policy and answers one
// question.
//
//	nato := label.NATO()
//	clearance, err := nato.Clearance("SECRET", label.Held{"Releasable To": {"DEU"}})
//	report, err := label.Parse("NATO:SECRET;any:Releasable%20To=DEU,FRA")
//	clearance.Dominates(report) // true
//
// As a condition of package abac: put the clearance into the Subject, the label into the Request, and demand abac.Cleared.
// The middleware of httpabac has an option for it.
//
// # Dominance
//
// A clearance dominates a label if both are of one policy, its classification is not below the label's, it holds all
// values of every restrictive category and at least one value of every permissive category. Informative categories decide
// nothing. Everything else fails closed: nothing dominates across policies, nothing dominates a classification, a tag or a
// type of tag its policy does not know, and the zero Label is dominated by nobody.
//
// [Policy.Dominates] orders labels: a dominates b exactly if every clearance for a is one for b. Labels of a policy form a
// lattice with [Policy.Join] (what a compilation of both must carry) and [Policy.Meet], but for one gap that the language
// has: no single label says "for x, and also for y", so the join of two labels releasable to disjoint groups is not
// defined, and ok is false.
//
// Equal protection is not access: an [Equivalence] says which classification of another policy a label corresponds to, so
// that [Equivalence.Translate] can make an alternative label. Nothing is translated by itself.
//
// # Written forms
//
// [ParseXML] reads the element forms of namespace urn:nato:stanag:4774:confidentialitymetadatalabel:1:0. It refuses
// comments, CDATA, document types, processing instructions, entities beyond XML's five, elements and attributes it does not
// know, repetitions, and what exceeds the limits below; [Label.XML] writes one canonical form. [Parse] and [Label.String]
// do the same for text: there is exactly one text for a label. Both forms keep every part of a label.
//
// The specification leaves room for foreign elements and attributes and for IntegerValue and BitStringValue, whose use
// its prose forbids; this package refuses all of them, and a tag that appears twice, since readers differ about what that
// means. Where its XML schema makes ReviewDateTime optional and its prose does not, the schema is followed.
//
// # Data
//
// [NATO], [EU], [Germany], [TLP] and [PublicPolicy] are policies with their sources; a product makes its own with
// [NewPolicy].
//
// The package depends on the standard library only. Everything exported is immutable and safe for concurrent use.
//
// Sources: ADatP-4774 Ed. A Ver. 1 (STANAG 4774), appendices 1 and 2; ADatP-4774.1 §4.2 and §4.4.
package label
