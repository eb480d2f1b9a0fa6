package authn

import (
	"github.com/google/uuid"

	"github.com/pioneerdesk/tomkit/ledger/record"
)

// reason is why a sign-in did not go on. The code goes into the details, the German text into the narrative; neither
// reaches the client.
type reason string

const (
	passed          reason = ""
	unknownAccount  reason = "unknown_account"
	noPassword      reason = "no_password"
	wrongPassword   reason = "wrong_password"
	hashUnusable    reason = "hash_unusable"
	tenantSuspended reason = "tenant_suspended"
	userDisabled    reason = "user_disabled"
	otherBrowser    reason = "other_browser"
	otherPurpose    reason = "other_purpose"
	accountChanged  reason = "account_changed"
	factorGone      reason = "factor_gone"
	nothingOffered  reason = "nothing_offered"
	lostRace        reason = "lost_race"
	wrongCode       reason = "wrong_code"
	usedCode        reason = "used_code"
)

// german are the reasons as sentences of the ledger name them.
var german = map[reason]string{
	unknownAccount:  "Konto unbekannt",
	noPassword:      "kein Passwort gesetzt",
	wrongPassword:   "Passwort falsch",
	hashUnusable:    "Passwort-Hash nicht verwendbar",
	tenantSuspended: "Mandant gesperrt",
	userDisabled:    "Konto gesperrt",
	otherBrowser:    "Anmelde-Token aus anderem Browser",
	otherPurpose:    "Anmelde-Token für anderen Zweck",
	accountChanged:  "Konto seit dem ersten Schritt geändert",
	factorGone:      "kein zweiter Faktor hinterlegt",
	nothingOffered:  "Einrichtung nicht begonnen",
	lostRace:        "Anmelde-Token gleichzeitig verwendet",
	wrongCode:       "Code falsch",
	usedCode:        "Code bereits verwendet",
}

// Names of methods in narratives and details.
const (
	methodTOTP     = "TOTP"
	methodPassword = "Passwort"
	methodBoth     = "Passwort und TOTP"
)

// userEvent is an event by a user about the user. The address the request came from goes into the details, erasable.
func userEvent(tenant, user uuid.UUID, email, action, template string, v visit, args, details map[string]any) record.Event {
	args["user"], args["at"] = record.Personal{Subject: user, Value: email}, v.now
	if v.from.IsValid() {
		details["address"] = record.Personal{Subject: user, Value: v.from.Unmap().WithZone("").String()}
	}
	return record.Event{
		Tenant: tenant, Actor: uuid.NullUUID{UUID: user, Valid: true},
		Action: action, EntityType: "user", EntityID: user.String(),
		Details: details, Narrative: record.Narrative{Template: template, Args: args},
	}
}

// loginFailed has no actor: nobody proved to be the user. An unknown address is not written down; it may well be a
// password typed into the wrong field.
func loginFailed(a Account, why reason, v visit) record.Event {
	ev := userEvent(a.Tenant, a.User, a.Email, "login_failed", "login_failed", v,
		map[string]any{"reason": german[why]}, map[string]any{"reason": string(why)})
	ev.Actor = uuid.NullUUID{}
	if a.User == uuid.Nil {
		ev.EntityID = "unknown"
		ev.Narrative.Args["user"] = record.Personal{Value: "unbekanntes Konto"}
	}
	return ev
}

func rehashed(a Account, v visit) record.Event {
	return userEvent(a.Tenant, a.User, a.Email, "password_rehashed", "password_rehashed", v, map[string]any{}, map[string]any{})
}

func firstStep(a Account, p Purpose, v visit) record.Event {
	return userEvent(a.Tenant, a.User, a.Email, "login_first_factor", "login_first_factor", v,
		map[string]any{"method": methodPassword}, map[string]any{"next": string(p)})
}

// mfaFailed has no actor, like loginFailed.
func mfaFailed(a Account, why reason, v visit) record.Event {
	ev := userEvent(a.Tenant, a.User, a.Email, "mfa_failed", "mfa_failed", v,
		map[string]any{"method": methodTOTP, "reason": german[why]},
		map[string]any{"factor": "totp", "reason": string(why)})
	ev.Actor = uuid.NullUUID{}
	return ev
}

func stepReused(a Account, v visit) record.Event {
	ev := userEvent(a.Tenant, a.User, a.Email, "step_token_reused", "step_token_reused", v, map[string]any{}, map[string]any{})
	ev.Actor = uuid.NullUUID{}
	return ev
}

func mfaEnabled(s Session, v visit) record.Event {
	return userEvent(s.Tenant, s.User, s.Email, "mfa_enabled", "mfa_enabled", v,
		map[string]any{"method": methodTOTP}, map[string]any{"factor": "totp"})
}

func login(s Session, v visit) record.Event {
	method := methodPassword
	amr := make([]any, len(s.AMR))
	for i, m := range s.AMR {
		amr[i] = m
		if m == "otp" {
			method = methodBoth
		}
	}
	return userEvent(s.Tenant, s.User, s.Email, "login", "login", v, map[string]any{"method": method},
		map[string]any{"session": s.ID.String(), "amr": amr, "role": s.Role})
}

func logout(s Session, v visit) record.Event {
	return userEvent(s.Tenant, s.User, s.Email, "logout", "logout", v, map[string]any{},
		map[string]any{"session": s.ID.String()})
}
