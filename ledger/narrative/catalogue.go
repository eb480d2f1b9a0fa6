package narrative

import (
	"maps"
	"slices"
	"strings"
	"sync"
)

// Version is the catalogue's version. It grows when templates are added; published sentences stay as they are, so that every
// entry ever written can be rendered again.
const Version = 1

// editions are the templates that each version added, version 1 first. A published edition is frozen (testdata), templates
// are never removed.
var editions = [Version][][2]string{sentences1}

// sentences1 is what version 1 holds. Argument kinds are fixed by name in template.go.
var sentences1 = [][2]string{
	// Sign-in (TOM 1.2).
	{"login", "Benutzer {user} hat sich am {at} mit {method} angemeldet."},
	{"login_first_factor", "Benutzer {user} hat am {at} den ersten Anmeldeschritt mit {method} bestanden; der zweite Faktor steht aus."},
	{"login_failed", "Anmeldung als {user} am {at} fehlgeschlagen (Grund: {reason})."},
	{"logout", "Benutzer {user} hat sich am {at} abgemeldet."},
	{"step_token_reused", "Ein bereits verwendetes Anmelde-Token für Benutzer {user} wurde am {at} erneut vorgelegt und abgewiesen."},
	{"session_revoked", "Sitzungen von Benutzer {user} wurden am {at} widerrufen (Grund: {reason})."},
	{"refresh_reused", "Ein bereits verbrauchtes Erneuerungs-Token von Benutzer {user} wurde am {at} erneut vorgelegt; die Sitzung wurde beendet."},
	{"mfa_failed", "Zweiter Faktor ({method}) von Benutzer {user} am {at} abgewiesen (Grund: {reason})."},
	{"mfa_enabled", "Benutzer {user} hat am {at} den zweiten Faktor {method} aktiviert."},
	{"mfa_enabled_by_admin", "Für Benutzer {subject} wurde der zweite Faktor {method} am {at} durch {user} eingerichtet."},
	{"mfa_disabled", "Für Benutzer {subject} wurde der zweite Faktor {method} am {at} durch {user} deaktiviert."},
	{"password_changed", "Benutzer {user} hat am {at} das eigene Passwort geändert."},
	{"password_reset", "Das Passwort von Benutzer {subject} wurde am {at} durch {user} neu gesetzt; alle Sitzungen wurden beendet."},
	{"passkey_registered", "Benutzer {user} hat am {at} den Passkey {key} registriert."},
	{"passkey_removed", "Passkey {key} von Benutzer {subject} wurde am {at} durch {user} entfernt."},
	{"passkey_clone_suspected", "Passkey {key} von Benutzer {user} wurde am {at} mit einem zurückliegenden Zähler vorgelegt und als mögliche Kopie abgewiesen."},
	{"login_throttled", "Anmeldungen als {user} wurden am {at} nach {count|Fehlversuch|Fehlversuchen} vorübergehend gesperrt."},
	{"password_rehashed", "Der Passwort-Hash von Benutzer {user} wurde bei der Anmeldung am {at} auf das aktuelle Verfahren umgestellt."},

	// Users and rights (TOM 1.3).
	{"user_created", "Benutzer {subject} wurde am {at} durch {user} mit der Rolle {role} angelegt."},
	{"user_created_by_system", "Benutzer {subject} wurde am {at} mit der Rolle {role} durch das System angelegt."},
	{"user_disabled", "Benutzer {subject} wurde am {at} durch {user} gesperrt; alle Sitzungen wurden beendet."},
	{"user_enabled", "Benutzer {subject} wurde am {at} durch {user} entsperrt."},
	{"permission_changed", "Berechtigungen von Benutzer {subject} wurden am {at} durch {user} geändert: erteilt {granted}; entzogen {revoked}."},
	{"role_defined", "Benutzer {user} hat am {at} die Rolle {role} festgelegt: erteilt {granted}; entzogen {revoked}."},
	{"mfa_required", "Benutzer {user} hat am {at} den zweiten Faktor im Mandanten zur Pflicht gemacht."},
	{"mfa_not_required", "Benutzer {user} hat am {at} die Pflicht zum zweiten Faktor im Mandanten aufgehoben."},
	{"api_key_created", "Benutzer {user} hat am {at} den API-Schlüssel {key} mit der Rolle {role} erstellt."},
	{"api_key_revoked", "Benutzer {user} hat am {at} den API-Schlüssel {key} widerrufen."},
	{"permission_denied", "Benutzer {user} wurde am {at} die Aktion {action} verweigert (fehlende Berechtigung {policy})."},

	// Devices.
	{"enrol_token_created", "Benutzer {user} hat am {at} ein Registrierungs-Token für ein Gerät erstellt."},
	{"device_enrolled", "Gerät {device} wurde am {at} registriert."},
	{"device_removed", "Gerät {device} wurde am {at} durch {user} entfernt."},
	{"command_executed", "Benutzer {user} hat am {at} den Befehl {command} auf Gerät {device} manuell ausgeführt."},
	{"fleet_update_triggered", "Benutzer {user} hat am {at} das Fleet-Update auf Version {version} für {count|Gerät|Geräte} ausgelöst."},

	// Approvals (TOM 3.3, 4.3). remediation_approved and patch_approved are the document's two examples.
	{"solution_approved", "Benutzer {user} hat die Lösung '{solution}' am {at} freigegeben."},
	{"solution_rejected", "Benutzer {user} hat die Lösung '{solution}' am {at} abgelehnt (Grund: {reason})."},
	{"remediation_approved", "Benutzer {user} hat Remediation-Skript '{script}' am {at} zur Ausführung auf {count|Gerät|Geräten} freigegeben."},
	{"remediation_rejected", "Benutzer {user} hat Remediation-Skript '{script}' am {at} abgelehnt (Grund: {reason})."},
	{"patch_approved", "KI-Agent {agent} hat Patch {patch} als kritisch eingestuft. Human-in-the-Loop-Genehmigung durch {user} am {at}."},

	// Agents and the Change Advisory Board (TOM 4.2, 4.3).
	{"proposal_created", "KI-Agent {agent} hat am {at} die Maßnahme {action} für {count|Gerät|Geräte} vorgeschlagen (Vorschlag {proposal})."},
	{"proposal_passed", "Das Change Advisory Board hat Vorschlag {proposal} von KI-Agent {agent} am {at} mit Risiko {risk} zur menschlichen Entscheidung zugelassen."},
	{"proposal_rejected", "Das Change Advisory Board hat Vorschlag {proposal} von KI-Agent {agent} am {at} abgelehnt (Grund: {reason})."},
	{"proposal_approved", "Benutzer {user} hat Vorschlag {proposal} von KI-Agent {agent} am {at} freigegeben (Freigabe {count} von {needed})."},
	{"proposal_refused", "Benutzer {user} hat Vorschlag {proposal} von KI-Agent {agent} am {at} abgelehnt (Grund: {reason})."},
	{"proposal_expired", "Vorschlag {proposal} von KI-Agent {agent} ist am {at} ohne ausreichende Freigabe verfallen."},
	{"command_issued", "Befehl {command} zu Vorschlag {proposal} wurde am {at} an Gerät {device} übergeben."},
	{"command_finished", "Befehl {command} auf Gerät {device} wurde am {at} beendet (Ergebnis: {result})."},
	{"command_refused", "Gerät {device} hat Befehl {command} am {at} nicht ausgeführt (Grund: {reason})."},
	{"agent_stopped", "Benutzer {user} hat KI-Agent {agent} am {at} angehalten (Grund: {reason})."},
	{"agent_resumed", "Benutzer {user} hat KI-Agent {agent} am {at} wieder freigegeben."},
	{"agent_tripped", "KI-Agent {agent} wurde am {at} durch den Schutzschalter angehalten (Grund: {reason})."},
	{"agents_stopped", "Benutzer {user} hat am {at} alle KI-Agenten des Mandanten angehalten (Grund: {reason})."},
	{"agents_resumed", "Benutzer {user} hat am {at} die KI-Agenten des Mandanten wieder freigegeben."},
	{"change_freeze_set", "Benutzer {user} hat am {at} eine Änderungssperre von {starts} bis {ends} festgelegt (Grund: {reason})."},

	// Operation.
	{"tenant_created", "Mandant {tenant} wurde am {at} angelegt."},
	{"tenant_moved", "Mandant {tenant} wurde am {at} dem MSP {msp} zugeordnet."},
	{"tenant_suspended", "Mandant {tenant} wurde am {at} gesperrt; seine Daten bleiben erhalten."},
	{"tenant_activated", "Mandant {tenant} wurde am {at} entsperrt."},
	{"tenant_deleted", "Mandant {tenant} wurde am {at} gelöscht; sein Audit-Protokoll bleibt erhalten."},
	{"tenant_host_added", "Mandant {tenant} ist seit {at} unter dem Rechnernamen {host} erreichbar."},
	{"tenant_host_removed", "Mandant {tenant} ist seit {at} nicht mehr unter dem Rechnernamen {host} erreichbar."},
	{"msp_created", "MSP {msp} wurde am {at} angelegt."},
	{"admin_bootstrap", "Der erste Superadmin {subject} wurde am {at} über die Kommandozeile des Hosts angelegt."},
	{"secrets_loaded", "Beim Start am {at} wurden {count|Geheimnis|Geheimnisse} aus dem Secrets Manager geladen: {keys}."},
	{"tenant_entered", "Superadmin {user} hat am {at} den Mandanten ausdrücklich betreten (Grund: {reason})."},
	{"system_scope_used", "Systemzugriff mit dem Zweck {reason} wurde bis {at} innerhalb von {seconds|Sekunde|Sekunden} {count|Mal|Mal} genutzt."},

	// Retention and erasure (TOM 8.2).
	{"retention_applied", "Die Anwendung der Löschfristen am {at} hat {count|Datensatz|Datensätze} gelöscht oder anonymisiert."},
	{"retention_changed", "Die Aufbewahrungsfrist der Kategorie {category} im Mandanten wurde am {at} auf {period} festgelegt."},
	{"legal_hold_placed", "Eine Löschsperre wurde am {at} gesetzt (Grund: {reason})."},
	{"legal_hold_released", "Eine Löschsperre wurde am {at} aufgehoben (Grund: {reason})."},
	{"person_exported", "Die Daten einer Person wurden am {at} für eine Auskunft exportiert: {count|Datensatz|Datensätze}."},
	{"person_erased", "Die Daten einer Person wurden am {at} auf Verlangen gelöscht oder anonymisiert: {count|Datensatz|Datensätze}."},
	{"tenant_erasure_started", "Die Löschung des Mandanten {tenant} wurde am {at} begonnen (Grund: {reason})."},
	{"tenant_erased", "Die Löschung des Mandanten {tenant} wurde am {at} abgeschlossen und geprüft: {count|Datensatz|Datensätze}, keine verblieben."},

	// The ledger itself.
	{"ledger_opened", "Das Audit-Protokoll {log} wurde am {at} eröffnet. Schlüssel: {keys}."},
	{"ledger_keys_rotated", "Die Schlüssel des Audit-Protokolls wurden am {at} gewechselt (Grund: {reason}). Neue Schlüssel: {keys}."},
	{"ledger_keys_compromised", "Schlüssel des Audit-Protokolls gelten seit {at} als kompromittiert: {revoked}. Neue Schlüssel: {keys}; ihnen ist nur nach Bestätigung auf anderem Weg zu vertrauen."},
	{"ledger_recovered", "Das Audit-Protokoll wurde am {at} nach einer Wiederherstellung in Epoche {epoch} fortgesetzt. Die Einträge {first} bis {last} sind verloren (erklärte Lücke). Freigegeben durch {approver} und {second}."},
	{"ledger_rolled_back", "Das Audit-Protokoll {log} liegt am {at} hinter {anchor} zurück ({have} statt {size} Einträge); es wird nicht weitergeschrieben."},
	{"ledger_closed", "Das Audit-Protokoll wurde am {at} nach {count|Eintrag|Einträgen} endgültig geschlossen (Grund: {reason})."},
	{"ledger_purged", "Das geschlossene Audit-Protokoll {log} mit {count|Eintrag|Einträgen} wurde ab {at} nach Ablauf der Aufbewahrung entfernt; letzter Prüfpunkt (SHA-256) {root}."},
	{"ledger_archived", "Das Audit-Protokoll {log} wurde am {at} bis Eintrag {seq} archiviert; Wurzel {root}."},
	{"ledger_exported", "Das Audit-Protokoll wurde am {at} bis Eintrag {seq} durch {user} exportiert."},
	{"ledger_anchored", "Der Prüfpunkt über {count|Eintrag|Einträge} des Audit-Protokolls wurde am {at} bei {anchor} hinterlegt."},
	{"ledger_verified", "Das Audit-Protokoll wurde am {at} bis Eintrag {seq} geprüft (Ergebnis: {result})."},
	{"ledger_imported", "Eine Kette im früheren Format mit {count|Eintrag|Einträgen} wurde am {at} geprüft übernommen; letzter Hash {root}."},
	{"personal_data_erased", "Die Löschung personenbezogener Werte am {at} (Grund: {reason}) umfasst {count|Wert|Werte} in {entries|Eintrag|Einträgen}; alle Nachweise bleiben prüfbar."},
	{"erasures_replayed", "Nach einer Wiederherstellung wurden am {at} aus dem Löschjournal {count|Wert|Werte} in {entries|Eintrag|Einträgen} erneut gelöscht."},
}

var catalogue = sync.OnceValue(func() map[string]*Template {
	m := map[string]*Template{}
	for i, edition := range editions {
		for _, s := range edition {
			if m[s[0]] != nil {
				panic("narrative: template " + s[0] + ": twice in the catalogue")
			}
			m[s[0]] = compile(s[0], s[1], i+1)
		}
	}
	return m
})

// Lookup returns the template with the given id.
func Lookup(id string) (*Template, bool) {
	t, ok := catalogue()[id]
	return t, ok
}

// All returns every template, sorted by id.
func All() []*Template {
	return slices.SortedFunc(maps.Values(catalogue()), func(a, b *Template) int { return strings.Compare(a.id, b.id) })
}
