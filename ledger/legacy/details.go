package legacy

import (
	"bytes"
	"encoding/json"
	"errors"
	"strconv"
	"strings"

	"github.com/pioneerdesk/tomkit/ledger/verify"
)

// fit says how details came through.
type fit uint8

const (
	fitsAsIs fit = iota
	fitsRewritten
	fitsAsText
)

// KeptMember is the member under which details stand that the canonical form cannot hold.
const KeptMember = "imported_json"

// canonicalDetails returns details in canonical form. If they have none, it keeps their text and says why.
func canonicalDetails(raw json.RawMessage) (canonical []byte, how fit, reason string, err error) {
	if string(raw) == "null" {
		return []byte("{}"), fitsRewritten, "", nil
	}
	canonical, err = express(raw)
	switch {
	case err == nil && bytes.Equal(canonical, raw):
		return canonical, fitsAsIs, "", nil
	case err == nil:
		return canonical, fitsRewritten, "", nil
	}
	reason = describe(err)
	if canonical, err = verify.CanonicalDetails(map[string]any{KeptMember: string(raw)}); err != nil {
		return nil, 0, "", malformed("details are too large, or hold U+0000")
	}
	return canonical, fitsAsText, reason, nil
}

// express writes details in canonical form, if it can hold them.
func express(raw []byte) ([]byte, error) {
	v, err := decode(raw)
	if err != nil {
		return nil, err
	}
	object, ok := v.(map[string]any)
	if !ok {
		return nil, errNoObject
	}
	if _, taken := object[KeptMember]; taken {
		return nil, errTaken
	}
	return verify.CanonicalDetails(object)
}

var (
	errNoObject  = errors.New("no object")
	errTaken     = errors.New("a member of the importer's name")
	errNumber    = errors.New("a number that is no integer within ±(2^53−1)")
	errNull      = errors.New("null")
	errTwice     = errors.New("a repeated member")
	errSurrogate = errors.New("half a surrogate pair")
)

// describe names the fault without the content.
func describe(err error) string {
	var field *verify.FieldError
	if errors.As(err, &field) {
		return field.Reason
	}
	return err.Error()
}

// decode decodes JSON into what the canonical form knows, with an error for the rest.
func decode(raw []byte) (any, error) {
	if loneSurrogate(raw) {
		return nil, errSurrogate
	}
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	return decodeValue(d, 1)
}

func decodeValue(d *json.Decoder, depth int) (any, error) {
	if depth > verify.MaxDepth+1 {
		return nil, errors.New("nested too deeply")
	}
	t, err := d.Token()
	if err != nil {
		return nil, errors.New("not JSON") // not reached: raw was decoded
	}
	switch v := t.(type) {
	case json.Delim:
		if v == '{' {
			return decodeObject(d, depth)
		}
		return decodeArray(d, depth)
	case json.Number:
		return integer(v)
	case nil:
		return nil, errNull
	}
	return t, nil
}

func decodeObject(d *json.Decoder, depth int) (any, error) {
	object := map[string]any{}
	for d.More() {
		t, err := d.Token()
		name, ok := t.(string)
		if err != nil || !ok {
			return nil, errNoObject
		}
		if _, twice := object[name]; twice {
			return nil, errTwice
		}
		if object[name], err = decodeValue(d, depth+1); err != nil {
			return nil, err
		}
	}
	_, err := d.Token()
	return object, err
}

func decodeArray(d *json.Decoder, depth int) (any, error) {
	list := []any{}
	for d.More() {
		v, err := decodeValue(d, depth+1)
		if err != nil {
			return nil, err
		}
		list = append(list, v)
	}
	_, err := d.Token()
	return list, err
}

// integer refuses what a double cannot hold exactly, and what is written with a fraction or an exponent.
func integer(n json.Number) (any, error) {
	i, err := strconv.ParseInt(n.String(), 10, 64)
	if err != nil || i > verify.MaxInteger || i < -verify.MaxInteger || strings.HasPrefix(n.String(), "-0") {
		return nil, errNumber
	}
	return i, nil
}
