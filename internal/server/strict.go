package server

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"strings"
	"unicode/utf8"

	"github.com/danielgtaylor/huma/v2"
)

// What is wrong with a document. The texts reach the client.
var (
	errSyntax    = errors.New("the document is not valid JSON")
	errText      = errors.New("a text is not Unicode")
	errName      = errors.New("a name holds other characters than a-z, 0-9 and _")
	errDuplicate = errors.New("an object repeats a name")
	errDepth     = errors.New("the document is nested too deeply")
	errTrailing  = errors.New("text follows the document")
)

// nameCharacters are those of every name in our documents. encoding/json and huma would take PASSWORD for password, and pa\u017fsword too.
const nameCharacters = "abcdefghijklmnopqrstuvwxyz0123456789_"

// maxDepth bounds the nesting of a request's JSON.
const maxDepth = 32

// strictJSON refuses documents that two readers could understand differently: names given twice or in other letters, text that is not
// Unicode, and anything after the document.
func strictJSON(f huma.Format) huma.Format {
	return huma.Format{Marshal: f.Marshal, Unmarshal: func(data []byte, v any) error {
		if err := checkJSON(data); err != nil {
			return err
		}
		return f.Unmarshal(data, v)
	}}
}

func checkJSON(data []byte) error {
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.UseNumber()
	if err := checkValue(dec, 0); err != nil {
		return err
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return errTrailing
	}
	return nil
}

func checkValue(dec *json.Decoder, depth int) error {
	if depth > maxDepth {
		return errDepth
	}
	token, err := dec.Token()
	if err != nil {
		return errSyntax
	}
	switch v := token.(type) {
	case json.Delim:
		return checkMembers(dec, v, depth)
	case string:
		return checkText(v)
	}
	return nil
}

// checkMembers reads what an object or array holds, and its end.
func checkMembers(dec *json.Decoder, open json.Delim, depth int) error {
	seen := map[string]bool{}
	for dec.More() {
		if open == '{' {
			token, err := dec.Token()
			name, ok := token.(string)
			switch {
			case err != nil || !ok:
				return errSyntax
			case strings.Trim(name, nameCharacters) != "":
				return errName
			case seen[name]:
				return errDuplicate
			}
			seen[name] = true
		}
		if err := checkValue(dec, depth+1); err != nil {
			return err
		}
	}
	if _, err := dec.Token(); err != nil {
		return errSyntax
	}
	return nil
}

// checkText refuses what the decoder has replaced, invalid UTF-8 and halves of surrogate pairs: different passwords would become one.
func checkText(s string) error {
	if strings.ContainsRune(s, utf8.RuneError) {
		return errText
	}
	return nil
}
