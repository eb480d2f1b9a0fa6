package main

import (
	"crypto/sha256"
	"encoding/base64"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestThePageHoldsAllItNeedsAndAllowsNothingElse(t *testing.T) {
	page, err := assemble(os.DirFS(".."), []byte("\x00asm"), []byte("var glue = 1;"))
	require.NoError(t, err)
	text := string(page)
	policy := regexp.MustCompile(`Content-Security-Policy" content="([^"]+)"`).FindStringSubmatch(text)[1]
	require.Contains(t, policy, "default-src 'none'")
	for _, m := range regexp.MustCompile(`(?s)<(script|style)>(.*?)</(script|style)>`).FindAllStringSubmatch(text, -1) {
		sum := sha256.Sum256([]byte(m[2]))
		require.Contains(t, policy, base64.StdEncoding.EncodeToString(sum[:]))
	}
	require.Empty(t, regexp.MustCompile(`(?i)\s(src|href)=|https?://|\burl\(["a-z.]|@import|\sstyle=|\son[a-z]+=`).FindAllString(text, -1))
	for _, id := range regexp.MustCompile(`data-t="([a-z]+)"`).FindAllStringSubmatch(text, -1) {
		require.Equal(t, 2, strings.Count(text, id[1]+`: "`), "%s in both languages", id[1])
	}
}

func TestAScriptCannotEndEarly(t *testing.T) {
	_, err := assemble(os.DirFS(".."), nil, []byte("a = '</script>'"))
	require.Error(t, err)
	_, err = assemble(os.DirFS("."), nil, nil)
	require.Error(t, err)
}
