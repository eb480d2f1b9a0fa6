package reference

import "github.com/pioneerdesk/tomkit/rls/erasure"

// Processing returns the record of processing activities of the reference schema: every table of the server with its purpose,
// legal basis and retention. Controller and officer are the operator's to fill in.
func Processing() *erasure.Register {
	return &erasure.Register{
		Measures:   erasure.Text{DE: "Technische und organisatorische Maßnahmen, Fassung 6.0", EN: "Technical and organisational measures, version 6.0"},
		People:     "tomkit.users",
		Categories: append(processingOfPeople(), processingOfDevices()...),
		Exempt:     processingExempt(),
	}
}

var (
	onContract  = erasure.Text{DE: "Art. 6 Abs. 1 lit. b DS-GVO (Vertrag), Art. 28 DS-GVO", EN: "Art. 6(1)(b) GDPR (contract), Art. 28 GDPR"}
	forSecurity = erasure.Text{DE: "Art. 6 Abs. 1 lit. c und f, Art. 32 DS-GVO (Sicherheit der Verarbeitung)", EN: "Art. 6(1)(c) and (f), Art. 32 GDPR (security of processing)"}
	ofStaff     = erasure.Text{DE: "Beschäftigte des Mandanten und seines Dienstleisters", EN: "staff of the tenant and of its service provider"}
	toProvider  = erasure.Text{DE: "der betreuende MSP", EN: "the serving MSP"}
	none        = erasure.Text{DE: "keine", EN: "none"}
)

// gone is a person whom a foreign key removes when the account goes.
func gone(columns ...string) (people []erasure.Person) {
	for _, c := range columns {
		people = append(people, erasure.Person{Column: c, Erase: erasure.Cascade})
	}
	return people
}

func held(name, time string, people ...erasure.Person) erasure.Table {
	return erasure.Table{Name: "tomkit." + name, Time: time, People: people}
}

func processingOfPeople() []erasure.Category {
	maintained := held("maintenance_windows", "ends_at", gone("created_by")...)
	maintained.Where = []erasure.Condition{{Column: "recurrence", Test: erasure.OneOf, Values: []string{"once"}}}
	return []erasure.Category{
		{
			ID: "accounts", Name: erasure.Text{DE: "Benutzerkonten", EN: "user accounts"},
			Purpose: erasure.Text{DE: "Zugang der Beschäftigten und ihre Rechte", EN: "access of staff and their rights"}, Basis: onContract, Subjects: ofStaff, Recipients: toProvider,
			Retention: erasure.Retention{Note: erasure.Text{DE: "bis das Konto gelöscht wird oder der Vertrag endet", EN: "until the account is deleted or the contract ends"}},
			Tables: []erasure.Table{
				held("users", "", erasure.Person{Column: "id", Erase: erasure.Delete}), held("user_passwords", "", gone("user_id")...), held("user_totp", "", gone("user_id")...),
				held("user_preferences", "", gone("user_id")...), held("policies", "", gone("user_id")...), held("roles", ""), held("tenant_auth", ""),
			},
		},
		{
			ID: "sign_in", Name: erasure.Text{DE: "Anmeldung", EN: "sign-in"},
			Purpose: erasure.Text{DE: "Sitzungen und Schutz vor Missbrauch", EN: "sessions and protection against abuse"}, Basis: forSecurity, Subjects: ofStaff, Recipients: none,
			Retention: erasure.Retention{Period: erasure.Period{Days: 30}, Max: erasure.Period{Days: 180}},
			Tables: []erasure.Table{
				held("sessions", "ends_at", gone("user_id")...), held("step_tokens", "expires_at", gone("user_id")...), held("api_keys", "expires_at", gone("user_id")...), held("sign_in_failures", ""),
			},
		},
		{
			ID: "notifications", Name: erasure.Text{DE: "Benachrichtigungen", EN: "notifications"},
			Purpose: erasure.Text{DE: "Hinweise an einzelne Benutzer", EN: "notices to single users"}, Basis: onContract, Subjects: ofStaff, Recipients: none,
			Retention: erasure.Retention{Period: erasure.Period{Days: 1}, Note: erasure.Text{DE: "nach dem Ablauf, 30 Tage nach dem Entstehen", EN: "after expiry, which is 30 days after their making"}},
			Tables:    []erasure.Table{held("notifications", "expires_at", gone("user_id")...)},
		},
		{
			ID: "tickets", Name: erasure.Text{DE: "Tickets und Lösungen", EN: "tickets and solutions"},
			Purpose: erasure.Text{DE: "Bearbeitung von Störungen und Anfragen", EN: "handling of incidents and requests"}, Basis: onContract, Subjects: ofStaff, Recipients: toProvider,
			Retention: erasure.Retention{Period: erasure.Period{Years: 3}, Min: erasure.Period{Days: 30}, Max: erasure.Period{Years: 10},
				Note: erasure.Text{DE: "nach dem Schließen; regelmäßige Verjährung, § 195 BGB", EN: "after closing; regular limitation period, § 195 BGB"}},
			Tables: []erasure.Table{
				held("tickets", "closed_at", gone("requester_id", "assignee_id")...), held("ticket_comments", "", gone("author_id")...),
				held("ticket_attachments", "", gone("uploaded_by")...), held("ticket_tags", ""), held("solver_solutions", "", gone("reviewed_by")...),
			},
		},
		{
			ID: "changes", Name: erasure.Text{DE: "Änderungen an Endgeräten", EN: "changes to endpoints"},
			Purpose: erasure.Text{DE: "Befehle, Softwareverteilung, Patches und ihre Freigaben", EN: "commands, software, patches and their approvals"}, Basis: forSecurity, Subjects: ofStaff, Recipients: toProvider,
			Retention: erasure.Retention{Period: erasure.Period{Years: 2}, Min: erasure.Period{Months: 6}, Max: erasure.Period{Years: 2}},
			Tables: []erasure.Table{
				held("pending_commands", "finished_at", gone("requested_by", "approved_by")...), held("software_packages", "retired_at", gone("approved_by")...),
				held("package_deployments", "finished_at", gone("requested_by")...), held("device_patches", ""), held("patch_approvals", "decided_at", gone("decided_by")...), maintained,
			},
		},
		{
			ID: "integrations", Name: erasure.Text{DE: "Schnittstellen", EN: "integrations"},
			Purpose: erasure.Text{DE: "Zustellung von Ereignissen an Systeme des Mandanten", EN: "delivery of events to the tenant's systems"}, Basis: onContract, Subjects: ofStaff,
			Recipients: erasure.Text{DE: "vom Mandanten bestimmte Systeme", EN: "systems the tenant names"},
			Retention:  erasure.Retention{Period: erasure.Period{Days: 1}, Note: erasure.Text{DE: "Zustellungen nach ihrem Ablauf", EN: "deliveries after their expiry"}},
			Tables:     []erasure.Table{held("webhook_configs", "", gone("created_by")...), held("webhook_deliveries", "expires_at")},
		},
	}
}

func processingOfDevices() []erasure.Category {
	enrolled := erasure.Person{Column: "created_by", Erase: erasure.Anonymise, Replace: map[string]erasure.Replacement{"created_by": erasure.Pseudonym()}}
	return []erasure.Category{
		{
			ID: "devices", Name: erasure.Text{DE: "Endgeräte", EN: "endpoints"},
			Purpose: erasure.Text{DE: "Inventar und Verwaltung der Endgeräte", EN: "inventory and management of endpoints"}, Basis: onContract, Subjects: ofStaff, Recipients: toProvider,
			Retention: erasure.Retention{Period: erasure.Period{Years: 2}, Note: erasure.Text{DE: "nach dem Entfernen des Geräts", EN: "after the endpoint was removed"}},
			Tables: []erasure.Table{
				held("devices", "removed_at"), held("device_credentials", "revoked_at"), held("enrol_tokens", "expires_at", enrolled), held("installed_software", ""), held("hardware_info", ""),
				held("device_services", ""), held("network_adapters", ""), held("device_groups", ""), held("device_group_members", ""), held("tags", ""), held("device_tags", ""),
			},
		},
		{
			ID: "telemetry", Name: erasure.Text{DE: "Messwerte und Ereignisse", EN: "measurements and events"},
			Purpose: erasure.Text{DE: "Erkennen von Störungen", EN: "detection of faults"}, Basis: forSecurity, Subjects: ofStaff, Recipients: toProvider,
			Retention: erasure.Retention{Period: erasure.Period{Days: 90}, Max: erasure.Period{Years: 1}},
			Tables: []erasure.Table{
				held("heartbeats", ""), held("heartbeat_history", "received_at"), held("heartbeat_dead_letters", "last_at"), held("device_events", "occurred_at"),
				held("dex_scores", "day"), held("capacity_forecasts", "computed_at"),
			},
		},
		{
			ID: "monitoring", Name: erasure.Text{DE: "Überwachung", EN: "monitoring"},
			Purpose: erasure.Text{DE: "Regeln, Alarme und ihre Bearbeitung", EN: "rules, alerts and their handling"}, Basis: forSecurity, Subjects: ofStaff, Recipients: toProvider,
			Retention: erasure.Retention{Period: erasure.Period{Years: 1}, Max: erasure.Period{Years: 2}},
			Tables: []erasure.Table{
				held("alert_rules", "", gone("created_by")...), held("alert_history", "resolved_at", gone("acknowledged_by")...), held("notification_channels", ""), held("alert_rule_channels", ""),
			},
		},
		{
			ID: "knowledge", Name: erasure.Text{DE: "Wissen", EN: "knowledge"},
			Purpose: erasure.Text{DE: "Wiederverwendung gelöster Störungen", EN: "reuse of solved incidents"}, Basis: onContract, Subjects: none, Recipients: none,
			Retention: erasure.Retention{Note: erasure.Text{DE: "bis zum Ende des Vertrags; ohne Personenbezug", EN: "until the contract ends; names no persons"}},
			Tables:    []erasure.Table{held("ai_knowledge_base", "")},
		},
		{
			ID: "temporary", Name: erasure.Text{DE: "temporäre Daten", EN: "temporary data"},
			Purpose: erasure.Text{DE: "Gedächtnis der Agenten, Gerätezustände und Berichte mit Ablauf", EN: "agents' memory, endpoint states and reports that expire"}, Basis: onContract, Subjects: ofStaff, Recipients: none,
			Retention: erasure.Retention{Period: erasure.Period{Days: 1}, Note: erasure.Text{DE: "nach dem Ablauf", EN: "after expiry"}},
			Tables:    []erasure.Table{held("tenant_ai_memory", "expires_at"), held("device_snapshots", "expires_at"), held("report_runs", "expires_at"), held("report_schedules", "", gone("created_by")...)},
		},
		{
			ID: "compliance", Name: erasure.Text{DE: "Nachweise", EN: "evidence"},
			Purpose: erasure.Text{DE: "Prüfungen, Schwachstellen und Befunde", EN: "checks, vulnerabilities and findings"}, Basis: forSecurity, Subjects: ofStaff, Recipients: toProvider,
			Retention: erasure.Retention{Period: erasure.Period{Years: 2}, Min: erasure.Period{Years: 1}, Max: erasure.Period{Years: 2}},
			Tables: []erasure.Table{
				held("qa_audit_log", "created_at"), held("red_team_findings", "closed_at"), held("device_vulnerabilities", "fixed_at"),
				held("shadow_it_findings", "decided_at", gone("decided_by")...), held("compliance_checks", "checked_at"),
			},
		},
	}
}

func processingExempt() []erasure.Exemption {
	exempt := []erasure.Exemption{
		{Table: "tomkit.tenants", Why: erasure.Text{DE: "der Mandant selbst", EN: "the tenant itself"}},
		{Table: "tomkit.tenant_hosts", Why: erasure.Text{DE: "Rechnernamen des Mandanten", EN: "host names of the tenant"}},
		{Table: "tomkit.msps", Why: erasure.Text{DE: "Dienstleister, keine Mandanten", EN: "providers, not tenants"}},
		{Table: "tomkit.operators", Why: erasure.Text{DE: "Betreiber, kein Mandant", EN: "operator, not a tenant"}},
	}
	for _, name := range []string{"audit_logs", "ledger_heads", "ledger_logs", "ledger_keys", "ledger_openings", "ledger_tiles", "ledger_checkpoints"} {
		exempt = append(exempt, erasure.Exemption{Table: "tomkit." + name, Stays: true,
			Why: erasure.Text{DE: "unveränderliches Audit-Protokoll mit eigenem Lebensende", EN: "immutable audit log with an end of life of its own"}})
	}
	return exempt
}
