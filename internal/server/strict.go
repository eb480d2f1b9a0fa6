package server

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"

	"github.com/danielgtaylor/huma/v2"
)

// errDuplicate says that an object of the request repeats a name. The text reaches the client.
var errDuplicate = errors.New("an object repeats a name")

// maxDepth bounds the nesting of a request's JSON.
const maxDepth = 32

// strictJSON refuses documents that two readers could understand differently: names given twice, and anything after the document.
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
		return errors.New("text follows the document")
	}
	return nil
}

func checkValue(dec *json.Decoder, depth int) error {
	if depth > maxDepth {
		return errors.New("the document is nested too deeply")
	}
	token, err := dec.Token()
	if err != nil {
		return errors.New("the document is not valid JSON")
	}
	open, ok := token.(json.Delim)
	if !ok {
		return nil
	}
	seen := map[string]bool{}
	for dec.More() {
		if open == '{' {
			name, err := dec.Token()
			if err != nil {
				return errors.New("the document is not valid JSON")
			}
			key, _ := name.(string)
			if seen[key] {
				return errDuplicate
			}
			seen[key] = true
		}
		if err := checkValue(dec, depth+1); err != nil {
			return err
		}
	}
	if _, err := dec.Token(); err != nil {
		return errors.New("the document is not valid JSON")
	}
	return nil
}
