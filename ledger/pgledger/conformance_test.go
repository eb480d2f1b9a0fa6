package pgledger_test

import (
	"archive/zip"
	"bytes"
	"context"
	"io/fs"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/pioneerdesk/tomkit/ledger/ledgertest"
	"github.com/pioneerdesk/tomkit/ledger/pgledger"
	"github.com/pioneerdesk/tomkit/ledger/record"
	"github.com/pioneerdesk/tomkit/ledger/verify"
	"github.com/pioneerdesk/tomkit/rls"
)

func TestConformance(t *testing.T) {
	k := newKit(t)
	ledgertest.Run(t, func(t testing.TB) ledgertest.Implementation {
		return ledgertest.Implementation{
			Log:     k.log,
			Another: func(t testing.TB) ledgertest.Store { return k.open(t, config()) },
			Batch:   k.log.AppendBatch,
			InTx: func(ctx context.Context, tenant uuid.UUID, fn func(func(record.Event) error) error) error {
				return k.db.Tenant(tenant).InTx(ctx, func(ctx context.Context, tx *rls.Tx) error {
					return fn(func(ev record.Event) error { return k.log.RecordTx(ctx, tx, ev) })
				})
			},
			Verify: func(ctx context.Context, tenant uuid.UUID) (*verify.Report, error) {
				return k.log.VerifyChain(ctx, tenant, pgledger.VerifyOptions{})
			},
			Keys: func(ctx context.Context, tenant uuid.UUID) (*verify.KeyHistory, error) {
				return exportedKeys(ctx, k.log, tenant)
			},
		}
	})
}

// exportedKeys returns the key history as an export carries it.
func exportedKeys(ctx context.Context, log *pgledger.Log, tenant uuid.UUID) (*verify.KeyHistory, error) {
	var b bytes.Buffer
	z := verify.NewZip(&b, time.Time{})
	if _, err := log.Export(ctx, tenant, z, pgledger.ExportOptions{}); err != nil {
		return nil, err
	}
	if err := z.Close(); err != nil {
		return nil, err
	}
	archive, err := zip.NewReader(bytes.NewReader(b.Bytes()), int64(b.Len()))
	if err != nil {
		return nil, err
	}
	text, err := fs.ReadFile(archive, "keys.json")
	if err != nil {
		return nil, err
	}
	return verify.ParseKeys(text)
}
