package pgauthn

import (
	"time"

	"github.com/google/uuid"

	"github.com/pioneerdesk/tomkit/ledger/record"
)

// nothing stands in a sentence for an empty list.
const nothing = "–"

// actor is by as the ledger wants it.
func (by By) actor() uuid.NullUUID { return uuid.NullUUID{UUID: by.User, Valid: by.User != uuid.Nil} }

// named is by in a sentence.
func (by By) named() record.Personal {
	if by.User == uuid.Nil {
		return record.Personal{Value: "System"}
	}
	return record.Personal{Subject: by.User, Value: by.Email}
}

// event is what all of this room's events share.
func event(tenant uuid.UUID, by By, action, entity, id, template string, args map[string]any) record.Event {
	return record.Event{
		Tenant: tenant, Actor: by.actor(), Action: action, EntityType: entity, EntityID: id,
		Details: map[string]any{}, Narrative: record.Narrative{Template: template, Args: args},
	}
}

func (p person) named() record.Personal { return record.Personal{Subject: p.id, Value: p.email} }

func userCreated(tenant uuid.UUID, by By, id uuid.UUID, email, role string, now time.Time) record.Event {
	args := map[string]any{"subject": record.Personal{Subject: id, Value: email}, "at": now, "role": role}
	template := "user_created_by_system"
	if by.User != uuid.Nil {
		template, args["user"] = "user_created", by.named()
	}
	ev := event(tenant, by, "user_created", "user", id.String(), template, args)
	ev.Details["role"] = role
	ev.Critical = true // it grants rights
	return ev
}

// ended says that sessions of the user were ended, and why.
func (p person) ended(by By, action, why string, now time.Time) record.Event {
	return event(p.tenant, by, action, "user", p.id.String(), "session_revoked",
		map[string]any{"user": p.named(), "at": now, "reason": why})
}

// permissions says that what the user may do has changed.
func (p person) permissions(by By, action, granted, revoked string, now time.Time) record.Event {
	ev := event(p.tenant, by, action, "user", p.id.String(), "permission_changed",
		map[string]any{"subject": p.named(), "user": by.named(), "at": now, "granted": granted, "revoked": revoked})
	ev.Details["granted"], ev.Details["revoked"] = granted, revoked
	ev.Critical = true
	return ev
}

// changed says that somebody did to the user what the template of the same name tells.
func (p person) changed(by By, template string, now time.Time) record.Event {
	return event(p.tenant, by, template, "user", p.id.String(), template,
		map[string]any{"subject": p.named(), "user": by.named(), "at": now})
}

func roleDefined(tenant uuid.UUID, by By, role uuid.UUID, name string, granted, revoked []string, now time.Time) record.Event {
	ev := event(tenant, by, "role_defined", "role", role.String(), "role_defined", map[string]any{
		"role": name, "user": by.named(), "at": now, "granted": list(granted), "revoked": list(revoked),
	})
	ev.Details["role"], ev.Details["granted"], ev.Details["revoked"] = name, values(granted), values(revoked)
	ev.Critical = true
	return ev
}

func mfaRule(tenant uuid.UUID, by By, required bool, now time.Time) record.Event {
	template := "mfa_not_required"
	if required {
		template = "mfa_required"
	}
	ev := event(tenant, by, "mfa_rule_changed", "tenant", tenant.String(), template, map[string]any{"user": by.named(), "at": now})
	ev.Details["mfa_required"] = required
	ev.Critical = true
	return ev
}

func (p person) enrolled(by By, now time.Time) record.Event {
	ev := event(p.tenant, by, "mfa_enabled", "user", p.id.String(), "mfa_enabled_by_admin",
		map[string]any{"subject": p.named(), "user": by.named(), "at": now, "method": "TOTP"})
	ev.Details["factor"] = "totp"
	return ev
}

func (p person) unenrolled(by By, now time.Time) record.Event {
	ev := event(p.tenant, by, "mfa_disabled", "user", p.id.String(), "mfa_disabled",
		map[string]any{"subject": p.named(), "user": by.named(), "at": now, "method": "TOTP"})
	ev.Details["factor"] = "totp"
	ev.Critical = true
	return ev
}

// values are strings as details hold them.
func values(names []string) []any {
	out := make([]any, len(names))
	for i, n := range names {
		out[i] = n
	}
	return out
}
