package reference

// The register, one line per table in the order of TOM 2.1. The room that brings a table brings its line.
var (
	identity = []Table{
		{"users", Identity, "Benutzerkonten eines Mandanten", "user accounts of a tenant", true, "created_at", false},
		{"roles", Identity, "Rollen, die Benutzern Rechte geben", "roles that give users their rights", false, "created_at", false},
		{"policies", Identity, "einzelne Rechte von Rollen und Benutzern", "single rights of roles and users", true, "", false},
		{"user_passwords", Identity, "Passwort-Hashes (Argon2id)", "password hashes (Argon2id)", true, "changed_at", false},
		{"user_totp", Identity, "versiegelte TOTP-Geheimnisse", "sealed TOTP secrets", true, "created_at", false},
		{"user_preferences", Identity, "Sprache, Darstellung und Zeitzone eines Benutzers", "language, appearance and time zone of a user", true, "updated_at", false},
		{"sessions", Identity, "Sitzungen und ihr Ende", "sessions and their end", true, "ends_at", false},
		{"step_tokens", Identity, "begonnene Anmeldungen", "sign-ins that have begun", true, "expires_at", false},
		{"sign_in_failures", Identity, "Zähler gegen das Erraten von Passwörtern", "counters against the guessing of passwords", true, "last_at", false},
		{"tenant_auth", Identity, "Anmelderegeln eines Mandanten", "sign-in rules of a tenant", false, "updated_at", false},
		{"api_keys", Identity, "Schlüssel von Programmen, als Hash", "keys of programs, hashed", true, "expires_at", false},
	}
	devices = []Table{
		{"devices", Device, "registrierte Endgeräte", "enrolled endpoints", true, "enrolled_at", false},
		{"device_credentials", Device, "Zugangsdaten der Endgeräte, als Hash", "credentials of endpoints, hashed", false, "created_at", false},
		{"enrol_tokens", Device, "Einmal-Token zur Registrierung, als Hash", "one-time enrolment tokens, hashed", true, "expires_at", false},
		{"installed_software", Device, "auf Endgeräten installierte Software", "software installed on endpoints", false, "last_seen", false},
		{"hardware_info", Device, "Hardware der Endgeräte", "hardware of endpoints", false, "collected_at", false},
		{"device_services", Device, "Dienste der Endgeräte und ihr Zustand", "services of endpoints and their state", false, "collected_at", false},
		{"network_adapters", Device, "Netzwerkadapter und Adressen der Endgeräte", "network adapters and addresses of endpoints", true, "collected_at", false},
		{"device_snapshots", Device, "Zustand vor und nach Änderungen", "state before and after changes", true, "expires_at", false},
		{"device_groups", Device, "Gruppen von Endgeräten", "groups of endpoints", false, "created_at", false},
		{"device_group_members", Device, "Zugehörigkeit von Endgeräten zu Gruppen", "membership of endpoints in groups", false, "added_at", false},
		{"tags", Device, "Schlagworte für Endgeräte und Tickets", "tags for endpoints and tickets", false, "created_at", false},
		{"device_tags", Device, "Schlagworte an Endgeräten", "tags on endpoints", false, "added_at", false},
		{"pending_commands", Device, "Befehle an Endgeräte und ihr Ergebnis", "commands to endpoints and their results", true, "created_at", false},
		{"software_packages", Device, "freigegebene Softwarepakete", "software packages that may be deployed", true, "created_at", false},
		{"package_deployments", Device, "Verteilung von Softwarepaketen", "deployment of software packages", true, "created_at", false},
		{"device_patches", Device, "fehlende und installierte Patches", "missing and installed patches", false, "collected_at", false},
		{"patch_approvals", Device, "Entscheidungen über Patches", "decisions on patches", true, "created_at", false},
		{"maintenance_windows", Device, "Wartungs- und Sperrfenster", "maintenance and freeze windows", true, "ends_at", false},
	}
	telemetry = []Table{
		{"heartbeats", Telemetry, "letzte Meldung jedes Endgeräts", "latest report of each endpoint", true, "last_seen", false},
		{"heartbeat_history", Telemetry, "Verlauf der Messwerte", "history of measurements", true, "received_at", false},
		{"heartbeat_dead_letters", Telemetry, "Zähler nicht speicherbarer Meldungen, ohne Inhalt", "counters of reports that could not be stored, without content", false, "last_at", false},
		{"device_events", Telemetry, "Ereignisse der Endgeräte", "events of endpoints", true, "occurred_at", false},
		{"dex_scores", Telemetry, "tägliche Bewertung des Nutzungserlebnisses je Gerät", "daily experience score per endpoint", true, "computed_at", false},
		{"alert_rules", Telemetry, "Regeln der Überwachung", "rules of monitoring", true, "updated_at", false},
		{"alert_history", Telemetry, "ausgelöste Alarme und ihre Bearbeitung", "alerts raised and their handling", true, "opened_at", false},
		{"notification_channels", Telemetry, "Wege der Benachrichtigung", "ways of notification", true, "created_at", false},
		{"alert_rule_channels", Telemetry, "welche Regel wen benachrichtigt", "which rule notifies whom", false, "added_at", false},
		{"notifications", Telemetry, "Benachrichtigungen eines Benutzers", "notifications of a user", true, "expires_at", false},
		{"capacity_forecasts", Telemetry, "Prognosen der Auslastung", "forecasts of utilisation", false, "computed_at", false},
	}
	service = []Table{
		{"tickets", Service, "Störungen, Anfragen, Probleme und Änderungen", "incidents, requests, problems and changes", true, "closed_at", false},
		{"ticket_comments", Service, "Schriftwechsel zu Tickets", "correspondence on tickets", true, "created_at", false},
		{"ticket_attachments", Service, "Angaben zu Anhängen von Tickets", "particulars of attachments to tickets", true, "created_at", false},
		{"ticket_tags", Service, "Schlagworte an Tickets", "tags on tickets", false, "added_at", false},
		{"solver_solutions", Service, "vorgeschlagene und freigegebene Lösungen", "solutions proposed and approved", true, "created_at", false},
		{"ai_knowledge_base", Service, "Wissen aus gelösten Tickets", "knowledge from solved tickets", true, "updated_at", false},
		{"tenant_ai_memory", Service, "Langzeitgedächtnis der Agenten je Mandant", "long-term memory of the agents per tenant", true, "expires_at", false},
	}
	compliance = []Table{
		{"audit_logs", Compliance, "unveränderliches Audit-Protokoll", "immutable audit log", true, "created_at", true},
		{"ledger_openings", Compliance, "personenbezogene Werte des Protokolls, einzeln löschbar", "personal values of the log, erasable one by one", true, "", true},
		{"ledger_logs", Compliance, "Protokolle je Mandant", "logs per tenant", false, "created_at", true},
		{"ledger_heads", Compliance, "Stand jedes Protokolls", "where each log ends", false, "last_at", true},
		{"ledger_keys", Compliance, "Schlüssel der Protokolle, privater Teil versiegelt", "keys of the logs, the private half sealed", false, "created_at", true},
		{"ledger_tiles", Compliance, "Hashbaum der Protokolle", "hash tree of the logs", false, "", true},
		{"ledger_checkpoints", Compliance, "signierte Prüfpunkte der Protokolle", "signed checkpoints of the logs", false, "created_at", true},
		{"qa_audit_log", Compliance, "Qualitätsprüfungen von Ergebnissen", "quality checks of results", true, "created_at", false},
		{"webhook_configs", Compliance, "Aufrufe eigener Systeme des Mandanten", "calls to the tenant's own systems", true, "updated_at", false},
		{"webhook_deliveries", Compliance, "Zustellungen dieser Aufrufe", "deliveries of these calls", true, "expires_at", false},
		{"compliance_checks", Compliance, "Ergebnisse von Compliance-Prüfungen", "results of compliance checks", false, "checked_at", false},
		{"report_schedules", Compliance, "wiederkehrende Berichte und ihre Empfänger", "recurring reports and their recipients", true, "created_at", false},
		{"report_runs", Compliance, "erstellte Berichte", "reports made", false, "expires_at", false},
	}
	security = []Table{
		{"red_team_findings", Security, "Befunde simulierter Angriffe", "findings of simulated attacks", false, "found_at", false},
		{"device_vulnerabilities", Security, "Schwachstellen der Endgeräte", "vulnerabilities of endpoints", false, "detected_at", false},
		{"shadow_it_findings", Security, "nicht genehmigte Software und Geräte", "software and devices nobody approved", true, "found_at", false},
	}
	organisation = []Table{
		{"operators", Organisation, "der Plattformbetreiber", "the operator of the platform", false, "created_at", false},
		{"msps", Organisation, "Managed Service Provider", "managed service providers", false, "created_at", false},
		{"tenants", Organisation, "Mandanten", "tenants", false, "created_at", false},
		{"tenant_hosts", Organisation, "Hostnamen der Mandanten", "host names of tenants", false, "created_at", false},
		{"msp_branding", Organisation, "Erscheinungsbild eines MSP gegenüber seinen Mandanten", "how an MSP appears to its tenants", true, "updated_at", false},
	}
)
