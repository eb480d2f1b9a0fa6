package abac

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
)

// ErrFormat is wrapped by every error about the JSON form of conditions and policy sets.
var ErrFormat = errors.New("malformed document")

// Limits of the JSON form.
const (
	// MaxDocument is the largest document, in bytes.
	MaxDocument = 4 << 20
	maxNesting  = 12
	maxExact    = 1<<53 - 1 // the largest integer every JSON reader keeps
)

// decodeStrict decodes one JSON document into target. The document has to say exactly what target then says: a repeated,
// unknown, null or differently spelled member, a stated default, a number that is no integer and trailing bytes are errors.
// White space and the order of members are free; it returns the canonical form, which is what gets signed and compared.
func decodeStrict(data []byte, target any) ([]byte, error) {
	want, err := canonical(data)
	if err != nil {
		return nil, err
	}
	decoder := json.NewDecoder(bytes.NewReader(want))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(target); err != nil {
		return nil, fmt.Errorf("abac: decode: unknown member or wrong type: %w", ErrFormat)
	}
	have, err := encodeCanonical(target)
	if err != nil {
		return nil, err
	}
	if !bytes.Equal(want, have) {
		return nil, fmt.Errorf("abac: decode: a member is null, states its default, or is spelled differently: %w", ErrFormat)
	}
	return have, nil
}

// encodeCanonical writes v as RFC 8785 does: members sorted, no white space. All texts are printable ASCII.
func encodeCanonical(v any) ([]byte, error) {
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(v); err != nil {
		return nil, fmt.Errorf("abac: encode: %w: %w", ErrFormat, err)
	}
	return canonical(b.Bytes())
}

// canonical returns data in the form of RFC 8785, for documents whose texts are printable ASCII and whose numbers are
// integers; others are errors.
func canonical(data []byte) ([]byte, error) {
	if len(data) > MaxDocument {
		return nil, fmt.Errorf("abac: decode: more than %d bytes: %w", MaxDocument, ErrFormat)
	}
	w := &canonicalizer{decoder: json.NewDecoder(bytes.NewReader(data))}
	w.decoder.UseNumber()
	out, err := w.value(0)
	if err != nil {
		return nil, err
	}
	if _, err := w.decoder.Token(); !errors.Is(err, io.EOF) {
		return nil, w.fault("bytes after the document")
	}
	return out, nil
}

type canonicalizer struct{ decoder *json.Decoder }

func (w *canonicalizer) fault(fact string) error {
	return fmt.Errorf("abac: decode: byte %d: %s: %w", w.decoder.InputOffset(), fact, ErrFormat)
}

func (w *canonicalizer) token() (json.Token, error) {
	token, err := w.decoder.Token()
	if err != nil {
		return nil, w.fault("not JSON")
	}
	return token, nil
}

func (w *canonicalizer) value(depth int) ([]byte, error) {
	token, err := w.token()
	if err != nil {
		return nil, err
	}
	switch v := token.(type) {
	case json.Delim:
		if depth == maxNesting {
			return nil, w.fault("nested too deeply")
		}
		if v == '{' {
			return w.object(depth + 1)
		}
		return w.array(depth + 1)
	case string:
		return w.text(v)
	case json.Number:
		n, err := strconv.ParseInt(v.String(), 10, 64)
		if err != nil || n > maxExact || n < -maxExact || strconv.FormatInt(n, 10) != v.String() {
			return nil, w.fault("a number that is no exact integer")
		}
		return []byte(v.String()), nil
	case bool:
		return strconv.AppendBool(nil, v), nil
	}
	return nil, w.fault("null")
}

func (w *canonicalizer) text(s string) ([]byte, error) {
	for i := range len(s) {
		if s[i] < ' ' || s[i] > '~' {
			return nil, w.fault("a text that is not printable ASCII")
		}
	}
	out := []byte{'"'}
	for i := range len(s) {
		if s[i] == '"' || s[i] == '\\' {
			out = append(out, '\\')
		}
		out = append(out, s[i])
	}
	return append(out, '"'), nil
}

func (w *canonicalizer) object(depth int) ([]byte, error) {
	members := make(map[string][]byte)
	var names []string
	for w.decoder.More() {
		token, err := w.token()
		if err != nil {
			return nil, err
		}
		name, ok := token.(string)
		if _, twice := members[name]; !ok || twice {
			return nil, w.fault("a member that appears twice")
		}
		if members[name], err = w.value(depth); err != nil {
			return nil, err
		}
		names = append(names, name)
	}
	if _, err := w.token(); err != nil {
		return nil, err
	}
	slices.Sort(names)
	out := []byte{'{'}
	for i, name := range names {
		text, err := w.text(name)
		if err != nil {
			return nil, err
		}
		if i > 0 {
			out = append(out, ',')
		}
		out = append(append(append(out, text...), ':'), members[name]...)
	}
	return append(out, '}'), nil
}

func (w *canonicalizer) array(depth int) ([]byte, error) {
	out := []byte{'['}
	for first := true; w.decoder.More(); first = false {
		if !first {
			out = append(out, ',')
		}
		element, err := w.value(depth)
		if err != nil {
			return nil, err
		}
		out = append(out, element...)
	}
	if _, err := w.token(); err != nil {
		return nil, err
	}
	return append(out, ']'), nil
}
