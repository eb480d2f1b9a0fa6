package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/cloudflare/circl/sign/dilithium/mode3"
	"github.com/stretchr/testify/require"

	"github.com/pioneerdesk/tomkit/internal/auditor"
)

// writeChain writes a chain of n entries as the document describes it, and its public key in base64.
func writeChain(t *testing.T, dir string, n int) (chain, key string) {
	t.Helper()
	pub, priv := mode3.NewKeyFromSeed((*[32]byte)(bytes.Repeat([]byte{3}, 32)))
	var b bytes.Buffer
	prev := "0000000000000000000000000000000000000000000000000000000000000000"
	for i := range n {
		entity, sentence, at := fmt.Sprintf("d-%d", i), "Entwurf freigegeben.", fmt.Sprintf("2026-03-09T14:23:%02dZ", i)
		sum := sha256.Sum256([]byte(prev + "approve_draft" + entity + sentence + at))
		sig := make([]byte, mode3.SignatureSize)
		mode3.SignTo(priv, []byte(hex.EncodeToString(sum[:])), sig)
		line, err := json.Marshal(map[string]any{
			"id": "0d4a3a52-5d1e-4d0f-8f4f-0e2b6a3c9d11", "tenant_id": "6f1d9c6e-8c36-4f0d-9d53-21f0a1b7c001", "user_id": nil, "action": "approve_draft",
			"entity_type": "draft", "entity_id": entity, "details": map[string]any{"n": i}, "nis2_narrative": sentence, "previous_hash": prev,
			"current_hash": hex.EncodeToString(sum[:]), "dilithium_signature": base64.StdEncoding.EncodeToString(sig), "created_at": at,
		})
		require.NoError(t, err)
		b.Write(append(line, '\n'))
		prev = hex.EncodeToString(sum[:])
	}
	chain, key = filepath.Join(dir, "chain.jsonl"), filepath.Join(dir, "dilithium.pub")
	require.NoError(t, os.WriteFile(chain, b.Bytes(), 0o600))
	require.NoError(t, os.WriteFile(key, []byte(base64.StdEncoding.EncodeToString(pub.Bytes())+"\n"), 0o600))
	return chain, key
}

func TestImportedChainsPassTheVerifier(t *testing.T) {
	dir := t.TempDir()
	chain, key := writeChain(t, dir, 5)
	at := func(name string) string { return filepath.Join(dir, name) }
	var out, errs bytes.Buffer
	call := func(args ...string) int {
		out.Reset()
		errs.Reset()
		return run(t.Context(), append([]string{"ledger", "import", "--dilithium-key", key, "--importer-key", at("importer.key"), "--domain", "log.example.org"}, args...),
			&console{out: &out, err: &errs})
	}
	require.Zero(t, call(chain, "--out", at("a.zip"), "--keys", at("keys.json")), errs.String())
	require.Contains(t, out.String(), "imported 5 entries")
	require.Contains(t, out.String(), "5 verified")
	require.Zero(t, verifies(t, at("a.zip"), at("keys.json")))

	require.Zero(t, call(chain, "--out", at("b.zip"), "--json"), "the importer's key is kept for the next import: %s", errs.String())
	require.Contains(t, out.String(), `"verified": 5`)

	require.Equal(t, 2, call(chain, "--out", at("a.zip")), "nothing is overwritten")
	require.Equal(t, 1, call(chain, "--out", at("c.zip"), "--signed", "raw"))
	require.Contains(t, errs.String(), "line 1, entry 0")
	require.NoFileExists(t, at("c.zip"))

	text, err := os.ReadFile(chain)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(chain, bytes.Replace(text, []byte("d-3"), []byte("d-9"), 1), 0o600))
	require.Equal(t, 1, call(chain, "--out", at("d.zip")))
	require.Contains(t, errs.String(), "line 4, entry 3")
	require.Contains(t, out.String(), "before the fault: 3")
	require.NoFileExists(t, at("d.zip"))
	require.NoError(t, os.WriteFile(key, []byte("x"), 0o600))
	require.Equal(t, 2, call(chain, "--out", at("e.zip")))
}

// verifies runs tomkit-verify on an export.
func verifies(t *testing.T, export, keys string) int {
	t.Helper()
	var out, errs bytes.Buffer
	code := auditor.Run(context.Background(), []string{export, "--keys", keys}, &out, &errs)
	t.Log(out.String(), errs.String())
	return code
}
