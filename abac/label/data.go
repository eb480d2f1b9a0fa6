package label

// must is for the data of this package, which its tests make.
func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

var (
	nato = must(NewPolicy(PolicyData{
		Name: "NATO", URI: "urn:oid:1.3.26.1.3.1",
		Classifications: []Classification{
			{"UNCLASSIFIED", []string{"NATO UNCLASSIFIED", "NU"}},
			{"RESTRICTED", []string{"NATO RESTRICTED", "NR"}},
			{"CONFIDENTIAL", []string{"NATO CONFIDENTIAL", "NC"}},
			{"SECRET", []string{"NATO SECRET", "NS"}},
			{"TOP SECRET", []string{"COSMIC TOP SECRET", "CTS"}},
		},
		Tags: []Tag{
			{"Context", Permissive}, {"Only", Permissive}, {"Releasable To", Permissive},
			{"Additional Sensitivity", Restrictive}, {"Administrative", Informative},
		},
		Source: "ADatP-4774 Ed. A Ver. 1, appendix 2; C-M(2002)49",
	}))
	public = must(NewPolicy(PolicyData{
		Name: "PUBLIC", Classifications: []Classification{{"UNCLASSIFIED", nil}},
		Source: "ADatP-4774 Ed. A Ver. 1, appendix 2 annex C",
	}))
	eu = must(NewPolicy(PolicyData{
		Name: "EU",
		Classifications: []Classification{
			{"RESTREINT UE/EU RESTRICTED", []string{"EU RESTRICTED", "RESTREINT UE", "R-UE/EU-R"}},
			{"CONFIDENTIEL UE/EU CONFIDENTIAL", []string{"EU CONFIDENTIAL", "CONFIDENTIEL UE", "C-UE/EU-C"}},
			{"SECRET UE/EU SECRET", []string{"EU SECRET", "SECRET UE", "S-UE/EU-S"}},
			{"TRÈS SECRET UE/EU TOP SECRET", []string{"EU TOP SECRET", "TRÈS SECRET UE", "TS-UE/EU-TS"}},
		},
		Tags:   []Tag{{"Releasable To", Permissive}},
		Source: "Council Decision 2013/488/EU, Article 2(2)",
	}))
	germany = must(NewPolicy(PolicyData{
		Name: "DEU",
		Classifications: []Classification{
			{"VS-NUR FÜR DEN DIENSTGEBRAUCH", []string{"VS-NfD"}},
			{"VS-VERTRAULICH", []string{"VS-Vertr."}},
			{"GEHEIM", []string{"Geh."}},
			{"STRENG GEHEIM", []string{"Str. Geh."}},
		},
		Tags:   []Tag{{"Releasable To", Permissive}},
		Source: "Sicherheitsüberprüfungsgesetz § 4 Abs. 2",
	}))
	tlp = must(NewPolicy(PolicyData{
		Name:            "TLP",
		Classifications: []Classification{{"CLEAR", []string{"WHITE"}}, {"GREEN", nil}, {"AMBER", nil}, {"AMBER+STRICT", nil}, {"RED", nil}},
		Source:          "FIRST, Traffic Light Protocol 2.0 (August 2022); WHITE is the name CLEAR had in 1.0",
	}))
)

// NATO returns the policy of STANAG 4774's own appendix: UNCLASSIFIED to TOP SECRET, with its five tags. The specification
// wants every NATO label to carry Context; that is the originator's duty and not a condition of access.
func NATO() *Policy { return nato }

// PublicPolicy returns the policy of what anybody may see, which knows UNCLASSIFIED only.
func PublicPolicy() *Policy { return public }

// EU returns the policy of classified information of the European Union. Its identifier is this package's choice: none
// is published.
func EU() *Policy { return eu }

// Germany returns the four steps of a German Verschlusssache, from VS-NUR FÜR DEN DIENSTGEBRAUCH (VS-NfD) to STRENG GEHEIM.
// Its identifier, the country's ISO 3166 code, is this package's choice: none is published. What is not classified carries
// no label of this policy.
func Germany() *Policy { return germany }

// TLP returns the Traffic Light Protocol, version 2.0, read as a hierarchy of audiences: who may get RED may get AMBER.
// It is a rule of sharing between people and no classification by law: it is equivalent to nothing.
func TLP() *Policy { return tlp }

// Policies returns the policies of this package.
func Policies() []*Policy { return []*Policy{nato, public, eu, germany, tlp} }

// GermanyNATO is which German and NATO classifications call for equal protection.
func GermanyNATO() *Equivalence { return germanyNATO }

// GermanyEU is which German and EU classifications call for equal protection.
func GermanyEU() *Equivalence { return germanyEU }

// EUNATO is which EU and NATO classifications call for equal protection.
func EUNATO() *Equivalence { return euNATO }

var (
	germanyNATO = must(NewEquivalence(germany, nato, "Verschlusssachenanweisung, table of comparable classifications", [][2]string{
		{"VS-NUR FÜR DEN DIENSTGEBRAUCH", "RESTRICTED"}, {"VS-VERTRAULICH", "CONFIDENTIAL"}, {"GEHEIM", "SECRET"},
		{"STRENG GEHEIM", "TOP SECRET"},
	}))
	germanyEU = must(NewEquivalence(germany, eu, "Agreement 2011/C 202/05 (OJ C 202, 8.7.2011, p. 13), annex", [][2]string{
		{"VS-NUR FÜR DEN DIENSTGEBRAUCH", "RESTREINT UE/EU RESTRICTED"}, {"VS-VERTRAULICH", "CONFIDENTIEL UE/EU CONFIDENTIAL"},
		{"GEHEIM", "SECRET UE/EU SECRET"}, {"STRENG GEHEIM", "TRÈS SECRET UE/EU TOP SECRET"},
	}))
	euNATO = must(NewEquivalence(eu, nato, "EU–NATO Agreement on the Security of Information (OJ L 80, 27.3.2003, p. 36)", [][2]string{
		{"RESTREINT UE/EU RESTRICTED", "RESTRICTED"}, {"CONFIDENTIEL UE/EU CONFIDENTIAL", "CONFIDENTIAL"},
		{"SECRET UE/EU SECRET", "SECRET"}, {"TRÈS SECRET UE/EU TOP SECRET", "TOP SECRET"},
	}))
)
