package reference

import (
	"slices"

	"github.com/pioneerdesk/tomkit/rls/erasure"
)

// Processing returns the record of processing activities of the reference schema: every table of [Tables] with its purpose, legal
// basis and retention. Controller and officer are the operator's to fill in.
func Processing() *erasure.Register {
	categories := append(processingOfPeople(), processingOfDevices()...)
	for i := range categories {
		for _, t := range register[categories[i].ID] {
			categories[i].Tables = append(categories[i].Tables, t.Table)
		}
	}
	return &erasure.Register{
		Measures:   erasure.Text{DE: "Technische und organisatorische Maßnahmen, Fassung 6.0", EN: "Technical and organisational measures, version 6.0"},
		People:     "tomkit.users",
		Categories: categories,
		Exempt: slices.Concat(
			exempt(organisation, erasure.Text{DE: "Betreiber, Dienstleister und Mandanten selbst", EN: "operator, providers and tenants themselves"}),
			exempt(ledger, erasure.Text{DE: "unveränderliches Audit-Protokoll mit eigenem Lebensende", EN: "immutable audit log with an end of life of its own"}),
		),
	}
}

// exempt takes a group's tables out of the record, for a reason.
func exempt(group string, why erasure.Text) (exempt []erasure.Exemption) {
	for _, t := range register[group] {
		exempt = append(exempt, erasure.Exemption{Table: t.Name, Why: why, Stays: t.Kept})
	}
	return exempt
}

var (
	onContract  = erasure.Text{DE: "Art. 6 Abs. 1 lit. b DS-GVO (Vertrag), Art. 28 DS-GVO", EN: "Art. 6(1)(b) GDPR (contract), Art. 28 GDPR"}
	forSecurity = erasure.Text{DE: "Art. 6 Abs. 1 lit. c und f, Art. 32 DS-GVO (Sicherheit der Verarbeitung)", EN: "Art. 6(1)(c) and (f), Art. 32 GDPR (security of processing)"}
	ofStaff     = erasure.Text{DE: "Beschäftigte des Mandanten und seines Dienstleisters", EN: "staff of the tenant and of its service provider"}
	toProvider  = erasure.Text{DE: "der betreuende MSP", EN: "the serving MSP"}
	none        = erasure.Text{DE: "keine", EN: "none"}
)

func processingOfPeople() []erasure.Category {
	return []erasure.Category{
		{
			ID: "accounts", Name: erasure.Text{DE: "Benutzerkonten", EN: "user accounts"},
			Purpose: erasure.Text{DE: "Zugang der Beschäftigten und ihre Rechte", EN: "access of staff and their rights"}, Basis: onContract, Subjects: ofStaff, Recipients: toProvider,
			Retention: erasure.Retention{Note: erasure.Text{DE: "bis das Konto gelöscht wird oder der Vertrag endet", EN: "until the account is deleted or the contract ends"}},
		},
		{
			ID: "sign_in", Name: erasure.Text{DE: "Anmeldung", EN: "sign-in"},
			Purpose: erasure.Text{DE: "Sitzungen und Schutz vor Missbrauch", EN: "sessions and protection against abuse"}, Basis: forSecurity, Subjects: ofStaff, Recipients: none,
			Retention: erasure.Retention{Period: erasure.Period{Days: 30}, Max: erasure.Period{Days: 180}},
		},
		{
			ID: "notifications", Name: erasure.Text{DE: "Benachrichtigungen", EN: "notifications"},
			Purpose: erasure.Text{DE: "Hinweise an einzelne Benutzer", EN: "notices to single users"}, Basis: onContract, Subjects: ofStaff, Recipients: none,
			Retention: erasure.Retention{Period: erasure.Period{Days: 1}, Note: erasure.Text{DE: "nach dem Ablauf, 30 Tage nach dem Entstehen", EN: "after expiry, which is 30 days after their making"}},
		},
		{
			ID: "tickets", Name: erasure.Text{DE: "Tickets und Lösungen", EN: "tickets and solutions"},
			Purpose: erasure.Text{DE: "Bearbeitung von Störungen und Anfragen", EN: "handling of incidents and requests"}, Basis: onContract, Subjects: ofStaff, Recipients: toProvider,
			Retention: erasure.Retention{Period: erasure.Period{Years: 3}, Min: erasure.Period{Days: 30}, Max: erasure.Period{Years: 10},
				Note: erasure.Text{DE: "nach dem Schließen; regelmäßige Verjährung, § 195 BGB", EN: "after closing; regular limitation period, § 195 BGB"}},
		},
		{
			ID: "changes", Name: erasure.Text{DE: "Änderungen an Endgeräten", EN: "changes to endpoints"},
			Purpose: erasure.Text{DE: "Befehle, Softwareverteilung, Patches und ihre Freigaben", EN: "commands, software, patches and their approvals"}, Basis: forSecurity, Subjects: ofStaff, Recipients: toProvider,
			Retention: erasure.Retention{Period: erasure.Period{Years: 2}, Min: erasure.Period{Months: 6}, Max: erasure.Period{Years: 2}},
		},
		{
			ID: "integrations", Name: erasure.Text{DE: "Schnittstellen", EN: "integrations"},
			Purpose: erasure.Text{DE: "Zustellung von Ereignissen an Systeme des Mandanten", EN: "delivery of events to the tenant's systems"}, Basis: onContract, Subjects: ofStaff,
			Recipients: erasure.Text{DE: "vom Mandanten bestimmte Systeme", EN: "systems the tenant names"},
			Retention:  erasure.Retention{Period: erasure.Period{Days: 1}, Note: erasure.Text{DE: "Zustellungen nach ihrem Ablauf", EN: "deliveries after their expiry"}},
		},
	}
}

func processingOfDevices() []erasure.Category {
	return []erasure.Category{
		{
			ID: "devices", Name: erasure.Text{DE: "Endgeräte", EN: "endpoints"},
			Purpose: erasure.Text{DE: "Inventar und Verwaltung der Endgeräte", EN: "inventory and management of endpoints"}, Basis: onContract, Subjects: ofStaff, Recipients: toProvider,
			Retention: erasure.Retention{Period: erasure.Period{Years: 2}, Note: erasure.Text{DE: "nach dem Entfernen des Geräts", EN: "after the endpoint was removed"}},
		},
		{
			ID: "telemetry", Name: erasure.Text{DE: "Messwerte und Ereignisse", EN: "measurements and events"},
			Purpose: erasure.Text{DE: "Erkennen von Störungen", EN: "detection of faults"}, Basis: forSecurity, Subjects: ofStaff, Recipients: toProvider,
			Retention: erasure.Retention{Period: erasure.Period{Days: 90}, Max: erasure.Period{Years: 1}},
		},
		{
			ID: "monitoring", Name: erasure.Text{DE: "Überwachung", EN: "monitoring"},
			Purpose: erasure.Text{DE: "Regeln, Alarme und ihre Bearbeitung", EN: "rules, alerts and their handling"}, Basis: forSecurity, Subjects: ofStaff, Recipients: toProvider,
			Retention: erasure.Retention{Period: erasure.Period{Years: 1}, Max: erasure.Period{Years: 2}},
		},
		{
			ID: "knowledge", Name: erasure.Text{DE: "Wissen", EN: "knowledge"},
			Purpose: erasure.Text{DE: "Wiederverwendung gelöster Störungen", EN: "reuse of solved incidents"}, Basis: onContract, Subjects: none, Recipients: none,
			Retention: erasure.Retention{Note: erasure.Text{DE: "bis zum Ende des Vertrags; ohne Personenbezug", EN: "until the contract ends; names no persons"}},
		},
		{
			ID: "temporary", Name: erasure.Text{DE: "temporäre Daten", EN: "temporary data"},
			Purpose: erasure.Text{DE: "Gedächtnis der Agenten, Gerätezustände und Berichte mit Ablauf", EN: "agents' memory, endpoint states and reports that expire"}, Basis: onContract, Subjects: ofStaff, Recipients: none,
			Retention: erasure.Retention{Period: erasure.Period{Days: 1}, Note: erasure.Text{DE: "nach dem Ablauf", EN: "after expiry"}},
		},
		{
			ID: "compliance", Name: erasure.Text{DE: "Nachweise", EN: "evidence"},
			Purpose: erasure.Text{DE: "Prüfungen, Schwachstellen und Befunde", EN: "checks, vulnerabilities and findings"}, Basis: forSecurity, Subjects: ofStaff, Recipients: toProvider,
			Retention: erasure.Retention{Period: erasure.Period{Years: 2}, Min: erasure.Period{Years: 1}, Max: erasure.Period{Years: 2}},
		},
	}
}
