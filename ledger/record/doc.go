// Package record holds the event types that every room may hand to a ledger, and the interface it hands them to.
//
// It is a leaf: it imports the standard library and uuid only, so that a room can report what happened without
// knowing which ledger, if any, is behind the [Recorder]. The usual call is
//
//	err := rec.Record(ctx, record.Event{
//		Tenant: tenant, Actor: uuid.NullUUID{UUID: user, Valid: true},
//		Action: "mfa_enabled", EntityType: "user", EntityID: user.String(),
//		Narrative: record.Narrative{Template: "mfa_enabled", Args: map[string]any{
//			"user": record.Personal{Subject: user, Value: mail}, "method": "TOTP", "at": now,
//		}},
//	})
//
// # Security
//
// What names a person goes into a [Personal], in the details and in the narrative, and never into EntityID: the ledger
// keeps its bytes for ever, only personal values can be erased (Art. 17 GDPR). Whoever writes to a database records in
// the same transaction, through an interface of its own with a RecordTx method; if the entry cannot be written, the
// change does not happen (TOM 3.3).
package record
