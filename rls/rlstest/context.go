package rlstest

import (
	"context"
	"crypto/hkdf"
	"crypto/sha256"
	"crypto/sha512"
	"fmt"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/pioneerdesk/tomkit/rls"
)

// signedContexts makes tomkit's contexts: genuine ones through a scope, as products get them, and others by its own
// reading of their definition in the package comment of rls.
type signedContexts struct {
	db  *rls.DB
	key rls.ContextKey
	got map[uuid.UUID]issued
}

// issued is a context with the time it was made.
type issued struct {
	text string
	at   time.Time
}

const (
	lifetime = 60 * time.Second // of a signed context
	renewal  = 20 * time.Second
)

// genuine returns a context of the tenant that is still valid for a while.
func (s *signedContexts) genuine(ctx context.Context, tenant uuid.UUID) (string, error) {
	if c := s.got[tenant]; time.Since(c.at) < renewal {
		return c.text, nil
	}
	var text string
	err := s.db.Tenant(tenant).QueryRow(ctx, "SELECT pg_catalog.current_setting('app.tenant_id')").Scan(&text)
	if err != nil {
		return "", fmt.Errorf("rlstest: context: %w", err)
	}
	s.got[tenant] = issued{text, time.Now()}
	return text, nil
}

// set is the SetContext of tomkit's products.
func (s *signedContexts) set(ctx context.Context, tx pgx.Tx, tenant uuid.UUID) error {
	text, err := s.genuine(ctx, tenant)
	if err == nil {
		err = setTenant(ctx, tx, text)
	}
	return err
}

func setTenant(ctx context.Context, tx pgx.Tx, text string) error {
	_, err := tx.Exec(ctx, "SELECT pg_catalog.set_config('app.tenant_id', $1, true)", text)
	return err
}

// sign makes a context with any key, kind ('t' or 'm') and expiry.
func sign(key rls.ContextKey, kind byte, id uuid.UUID, expiry time.Time) string {
	block, err := hkdf.Key(sha512.New, key.Key, nil, "tomkit/context/v1/"+string(kind)+"/"+key.ID, sha256.BlockSize)
	if err != nil { // cannot happen: the length is far below the limit
		panic(err)
	}
	message := fmt.Sprintf(".%s.%010d", id, expiry.Unix())
	return fmt.Sprintf("%x", sha256.Sum256(append(block, message...))) + message
}

// forgeries lists contexts in the tenant's name that must open nothing.
func (s *signedContexts) forgeries(own, tenant uuid.UUID) map[string]string {
	now := time.Now()
	good := sign(s.key, 't', tenant, now.Add(lifetime))
	other := rls.ContextKey{ID: s.key.ID, Key: []byte(strings.Repeat("?", 32))}
	mine := sign(s.key, 't', own, now.Add(lifetime))
	return map[string]string{
		"bare_context":      tenant.String(),
		"expired_context":   sign(s.key, 't', tenant, now.Add(-time.Second)),
		"msp_context":       sign(s.key, 'm', tenant, now.Add(lifetime)),
		"other_key_context": sign(other, 't', tenant, now.Add(lifetime)),
		"other_id_context":  sign(rls.ContextKey{ID: "other", Key: s.key.Key}, 't', tenant, now.Add(lifetime)),
		"own_mac_context":   mine[:64] + good[64:],
		"prolonged_context": good[:len(good)-10] + "9999999999",
		"truncated_context": good[1:],
		"zero_mac_context":  strings.Repeat("0", 64) + good[64:],
	}
}

// forge tries another forgery for each call, and claims the bypass too.
func (s *signedContexts) forge(names []string, own uuid.UUID) SetContext {
	n := 0
	return func(ctx context.Context, tx pgx.Tx, tenant uuid.UUID) error {
		n++
		_, err := tx.Exec(ctx, "SELECT pg_catalog.set_config('app.bypass_rls', 'on', true), pg_catalog.set_config('tomkit.migration', 'on', true)")
		if err == nil {
			err = setTenant(ctx, tx, s.forgeries(own, tenant)[names[n%len(names)]])
		}
		return err
	}
}
