package reference

// register has one line per protected table under its category: name, the time that retention counts from, what it holds, and the
// columns that name a person. The room that brings a table brings its line.
var register = map[string][]Table{
	"accounts": {
		line("users", "", "Benutzerkonten eines Mandanten", "user accounts of a tenant", account),
		line("user_passwords", "", "Passwort-Hashes (Argon2id)", "password hashes (Argon2id)", gone("user_id")...),
		line("user_totp", "", "versiegelte TOTP-Geheimnisse", "sealed TOTP secrets", gone("user_id")...),
		line("user_preferences", "", "Sprache, Darstellung und Zeitzone eines Benutzers", "language, appearance and time zone of a user", gone("user_id")...),
		line("policies", "", "einzelne Rechte von Rollen und Benutzern", "single rights of roles and users", gone("user_id")...),
		line("roles", "", "Rollen, die Benutzern Rechte geben", "roles that give users their rights"),
		line("tenant_auth", "", "Anmelderegeln eines Mandanten", "sign-in rules of a tenant"),
	},
	"sign_in": {
		line("sessions", "ends_at", "Sitzungen und ihr Ende", "sessions and their end", gone("user_id")...),
		line("step_tokens", "expires_at", "begonnene Anmeldungen", "sign-ins that have begun", gone("user_id")...),
		line("api_keys", "expires_at", "Schlüssel von Programmen, als Hash", "keys of programs, hashed", gone("user_id")...),
		line("sign_in_failures", "", "Zähler gegen das Erraten von Passwörtern", "counters against the guessing of passwords"),
	},
	"notifications": {
		line("notifications", "expires_at", "Benachrichtigungen eines Benutzers", "notifications of a user", gone("user_id")...),
	},
	"tickets": {
		line("tickets", "closed_at", "Störungen, Anfragen, Probleme und Änderungen", "incidents, requests, problems and changes", gone("requester_id", "assignee_id")...),
		line("ticket_comments", "", "Schriftwechsel zu Tickets", "correspondence on tickets", gone("author_id")...),
		line("ticket_attachments", "", "Angaben zu Anhängen von Tickets", "particulars of attachments to tickets", gone("uploaded_by")...),
		line("ticket_tags", "", "Schlagworte an Tickets", "tags on tickets"),
		line("solver_solutions", "", "vorgeschlagene und freigegebene Lösungen", "solutions proposed and approved", gone("reviewed_by")...),
	},
	"changes": {
		line("pending_commands", "finished_at", "Befehle an Endgeräte und ihr Ergebnis", "commands to endpoints and their results", gone("requested_by", "approved_by")...),
		line("software_packages", "retired_at", "freigegebene Softwarepakete", "software packages that may be deployed", gone("approved_by")...),
		line("package_deployments", "finished_at", "Verteilung von Softwarepaketen", "deployment of software packages", gone("requested_by")...),
		line("device_patches", "", "fehlende und installierte Patches", "missing and installed patches"),
		line("patch_approvals", "decided_at", "Entscheidungen über Patches", "decisions on patches", gone("decided_by")...),
		once(line("maintenance_windows", "ends_at", "Wartungs- und Sperrfenster", "maintenance and freeze windows", gone("created_by")...)),
	},
	"integrations": {
		line("webhook_configs", "", "Aufrufe eigener Systeme des Mandanten", "calls to the tenant's own systems", gone("created_by")...),
		line("webhook_deliveries", "expires_at", "Zustellungen dieser Aufrufe", "deliveries of these calls"),
	},
	"devices": {
		line("devices", "removed_at", "registrierte Endgeräte", "enrolled endpoints"),
		line("device_credentials", "revoked_at", "Zugangsdaten der Endgeräte, als Hash", "credentials of endpoints, hashed"),
		line("enrol_tokens", "expires_at", "Einmal-Token zur Registrierung, als Hash", "one-time enrolment tokens, hashed", enrolled),
		line("installed_software", "", "auf Endgeräten installierte Software", "software installed on endpoints"),
		line("hardware_info", "", "Hardware der Endgeräte", "hardware of endpoints"),
		line("device_services", "", "Dienste der Endgeräte und ihr Zustand", "services of endpoints and their state"),
		line("network_adapters", "", "Netzwerkadapter und Adressen der Endgeräte", "network adapters and addresses of endpoints"),
		line("device_groups", "", "Gruppen von Endgeräten", "groups of endpoints"),
		line("device_group_members", "", "Zugehörigkeit von Endgeräten zu Gruppen", "membership of endpoints in groups"),
		line("tags", "", "Schlagworte für Endgeräte und Tickets", "tags for endpoints and tickets"),
		line("device_tags", "", "Schlagworte an Endgeräten", "tags on endpoints"),
	},
	"telemetry": {
		line("heartbeats", "", "letzte Meldung jedes Endgeräts", "latest report of each endpoint"),
		line("heartbeat_history", "received_at", "Verlauf der Messwerte", "history of measurements"),
		line("heartbeat_dead_letters", "last_at", "Zähler nicht speicherbarer Meldungen, ohne Inhalt", "counters of reports that could not be stored, without content"),
		line("device_events", "occurred_at", "Ereignisse der Endgeräte", "events of endpoints"),
		line("dex_scores", "day", "tägliche Bewertung des Nutzungserlebnisses je Gerät", "daily experience score per endpoint"),
		line("capacity_forecasts", "computed_at", "Prognosen der Auslastung", "forecasts of utilisation"),
	},
	"monitoring": {
		line("alert_rules", "", "Regeln der Überwachung", "rules of monitoring", gone("created_by")...),
		line("alert_history", "resolved_at", "ausgelöste Alarme und ihre Bearbeitung", "alerts raised and their handling", gone("acknowledged_by")...),
		line("notification_channels", "", "Wege der Benachrichtigung", "ways of notification"),
		line("alert_rule_channels", "", "welche Regel wen benachrichtigt", "which rule notifies whom"),
	},
	"knowledge": {
		line("ai_knowledge_base", "", "Wissen aus gelösten Tickets", "knowledge from solved tickets"),
	},
	"temporary": {
		line("tenant_ai_memory", "expires_at", "Langzeitgedächtnis der Agenten je Mandant", "long-term memory of the agents per tenant"),
		line("device_snapshots", "expires_at", "Zustand vor und nach Änderungen", "state before and after changes"),
		line("report_runs", "expires_at", "erstellte Berichte", "reports made"),
		line("report_schedules", "", "wiederkehrende Berichte und ihre Empfänger", "recurring reports and their recipients", gone("created_by")...),
	},
	"compliance": {
		line("qa_audit_log", "created_at", "Qualitätsprüfungen von Ergebnissen", "quality checks of results"),
		line("red_team_findings", "closed_at", "Befunde simulierter Angriffe", "findings of simulated attacks"),
		line("device_vulnerabilities", "fixed_at", "Schwachstellen der Endgeräte", "vulnerabilities of endpoints"),
		line("shadow_it_findings", "decided_at", "nicht genehmigte Software und Geräte", "software and devices nobody approved", gone("decided_by")...),
		line("compliance_checks", "checked_at", "Ergebnisse von Compliance-Prüfungen", "results of compliance checks"),
	},
	organisation: {
		line("operators", "", "der Plattformbetreiber", "the operator of the platform"),
		line("msps", "", "Managed Service Provider", "managed service providers"),
		line("tenants", "", "Mandanten", "tenants"),
		line("tenant_hosts", "", "Hostnamen der Mandanten", "host names of tenants"),
	},
	providers: {
		line("msp_branding", "", "Erscheinungsbild eines MSP gegenüber seinen Mandanten", "how an MSP appears to its tenants"),
	},
	ledger: {
		kept(line("audit_logs", "", "unveränderliches Audit-Protokoll", "immutable audit log")),
		kept(line("ledger_openings", "", "personenbezogene Werte des Protokolls, einzeln löschbar", "personal values of the log, erasable one by one")),
		kept(line("ledger_logs", "", "Protokolle je Mandant", "logs per tenant")),
		kept(line("ledger_heads", "", "Stand jedes Protokolls", "where each log ends")),
		kept(line("ledger_keys", "", "Schlüssel der Protokolle, privater Teil versiegelt", "keys of the logs, the private half sealed")),
		kept(line("ledger_tiles", "", "Hashbaum der Protokolle", "hash tree of the logs")),
		kept(line("ledger_checkpoints", "", "signierte Prüfpunkte der Protokolle", "signed checkpoints of the logs")),
		kept(line("ledger_redactions", "", "gelöschte personenbezogene Werte: nur Ort und Bindung, kein Inhalt", "erased personal values: place and commitment only, no content")),
		kept(line("ledger_evidence", "", "Bestätigungen der Prüfpunkte durch Zeugen und Zeitstempeldienste", "what witnesses and time stamping authorities gave for checkpoints")),
		kept(line("ledger_closings", "", "beendete Protokolle und ihre Aufbewahrungsfrist", "logs that ended, and how long they are kept")),
	},
	lifecycle: {
		line("retention_overrides", "", "eigene Löschfristen eines Mandanten", "a tenant's own retention periods"),
		line("legal_holds", "", "Löschsperren", "legal holds"),
		kept(line("erasure_jobs", "", "Nachweise gelöschter Mandanten", "evidence of deleted tenants")),
	},
}
