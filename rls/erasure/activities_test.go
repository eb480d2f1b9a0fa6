package erasure_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/pioneerdesk/tomkit/rls/erasure"
)

func TestTheRecordOfProcessingInBothLanguages(t *testing.T) {
	r := register()
	for _, c := range []struct {
		lang erasure.Lang
		say  []string
	}{
		{erasure.German, []string{"Verzeichnis von Verarbeitungstätigkeiten", "| Zweck | running tickets (de) |", "1 Jahr; mindestens 30 Tage; höchstens 3 Jahre", "36 Stunden", "(auszufüllen)"}},
		{erasure.English, []string{"Record of processing activities", "| Purpose | running tickets |", "1 year; at least 30 days; at most 3 years", "36 hours", "(to be filled in)"}},
	} {
		var b bytes.Buffer
		require.NoError(t, r.WriteMarkdown(&b, c.lang))
		for _, text := range c.say {
			require.Contains(t, b.String(), text)
		}
		for _, cat := range r.Categories {
			require.Contains(t, b.String(), "("+cat.ID+")")
		}
		b.Reset()
		require.NoError(t, r.WriteJSON(&b, c.lang))
		var doc struct {
			Schema     string
			Activities []struct {
				ID, Purpose string
				Basis       string `json:"legal_basis"`
				Retention   string
				Period      erasure.Period
			}
		}
		require.NoError(t, json.Unmarshal(b.Bytes(), &doc))
		require.Equal(t, erasure.RecordSchema, doc.Schema)
		require.Len(t, doc.Activities, len(r.Categories))
		for i, a := range doc.Activities {
			require.Equal(t, r.Categories[i].Retention.Period, a.Period)
			require.NotEmpty(t, a.Purpose)
			require.NotEmpty(t, a.Basis)
			require.NotEmpty(t, a.Retention)
		}
	}
	t.Run("another language is refused", func(t *testing.T) {
		require.ErrorIs(t, r.WriteMarkdown(&bytes.Buffer{}, "fr"), erasure.ErrInvalid)
		require.ErrorIs(t, r.WriteJSON(&bytes.Buffer{}, ""), erasure.ErrInvalid)
	})
	t.Run("text stays in its cell", func(t *testing.T) {
		r := register()
		r.Categories[0].Purpose = text("a | b\n## c <script> [x](y) `d")
		var b bytes.Buffer
		require.NoError(t, r.WriteMarkdown(&b, erasure.English))
		require.Equal(t, len(r.Categories), strings.Count(b.String(), "\n## "))
		require.NotContains(t, b.String(), "<script")
		require.Contains(t, b.String(), `a \| b ## c`)
	})
	t.Run("a writer that fails is reported", func(t *testing.T) {
		require.True(t, errors.Is(r.WriteMarkdown(broken{}, erasure.German), errBroken))
		require.True(t, errors.Is(r.WriteJSON(broken{}, erasure.German), errBroken))
	})
}
