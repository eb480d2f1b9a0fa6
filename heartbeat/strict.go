package heartbeat

import (
	"bytes"
	"encoding/json"
	"errors"
	"reflect"
	"strings"
	"unicode/utf8"
)

// A shape is what a Go type admits in strict JSON. encoding/json alone compares names without case, takes the last of
// repeated names, reads null as "leave unset" and replaces invalid UTF-8; the shape refuses all four beforehand.
type shape struct {
	path   string  // where the value sits, for errors
	fields []field // of an object
	elem   *shape  // of an array
}

type field struct {
	name     string
	optional bool
	shape    *shape
}

// shapeOf derives the shape of a struct type from its json tags. A field is required unless its tag says omitempty.
func shapeOf(path string, t reflect.Type) *shape {
	s := &shape{path: path}
	switch {
	case t.Kind() == reflect.Slice:
		s.elem = shapeOf(path, t.Elem())
	case t.Kind() == reflect.Struct && !reflect.PointerTo(t).Implements(reflect.TypeFor[json.Unmarshaler]()):
		for i := range t.NumField() {
			name, option, _ := strings.Cut(t.Field(i).Tag.Get("json"), ",")
			s.fields = append(s.fields, field{
				name:     name,
				optional: option == "omitempty",
				shape:    shapeOf(strings.TrimPrefix(path+"."+name, "."), t.Field(i).Type),
			})
		}
	}
	return s
}

// decode reads data, at most limit bytes, into v, whose type s describes. what names the document in errors.
func decode(what string, data []byte, limit int, s *shape, v any) error {
	if len(data) > limit {
		return invalid(what, "larger than %d bytes", limit)
	}
	if !utf8.Valid(data) {
		return invalid(what, "not UTF-8")
	}
	if !json.Valid(data) {
		return invalid(what, "not one JSON value")
	}
	if _, err := s.walk(data, 0); err != nil {
		if e := (*InvalidError)(nil); errors.As(err, &e) && e.Field == "" {
			e.Field = what
		}
		return err
	}
	if err := json.Unmarshal(data, v); err != nil {
		// The library's text repeats the input, so only the place is passed on.
		if e := (*json.UnmarshalTypeError)(nil); errors.As(err, &e) && e.Field != "" {
			what = e.Field
		}
		return invalid(what, "wrong type or out of range")
	}
	return nil
}

// walk checks the value at d[i:] and returns the index behind it. d is valid JSON, so nothing is checked twice.
func (s *shape) walk(d []byte, i int) (int, error) {
	i = space(d, i)
	switch {
	case d[i] == 'n':
		return i, invalid(s.path, "null")
	case s.fields != nil:
		return s.object(d, i)
	case s.elem != nil:
		return s.array(d, i)
	case d[i] == '{' || d[i] == '[':
		return i, invalid(s.path, "wrong type or out of range")
	case d[i] == '"':
		return str(d, i), nil
	}
	if n := bytes.IndexAny(d[i:], ",]} \t\r\n"); n >= 0 {
		return i + n, nil
	}
	return len(d), nil
}

func (s *shape) object(d []byte, i int) (int, error) {
	if d[i] != '{' {
		return i, invalid(s.path, "not an object")
	}
	var seen uint64
	for i = space(d, i+1); d[i] != '}'; {
		end := str(d, i)
		n := s.index(d[i+1 : end-1])
		if n < 0 {
			return i, invalid(s.path, "unknown field")
		}
		if seen&(1<<n) != 0 {
			return i, invalid(s.fields[n].shape.path, "named twice")
		}
		seen |= 1 << n
		i = space(d, end) + 1 // behind the colon
		var err error
		if i, err = s.fields[n].shape.walk(d, i); err != nil {
			return i, err
		}
		i = comma(d, i)
	}
	for n, f := range s.fields {
		if !f.optional && seen&(1<<n) == 0 {
			return i, invalid(f.shape.path, "missing")
		}
	}
	return i + 1, nil
}

func (s *shape) array(d []byte, i int) (int, error) {
	if d[i] != '[' {
		return i, invalid(s.path, "not an array")
	}
	for i = space(d, i+1); d[i] != ']'; {
		var err error
		if i, err = s.elem.walk(d, i); err != nil {
			return i, err
		}
		i = comma(d, i)
	}
	return i + 1, nil
}

// index returns the field called name, or -1. A name written with escapes is not found: ours need none.
func (s *shape) index(name []byte) int {
	for n := range s.fields {
		if s.fields[n].name == string(name) {
			return n
		}
	}
	return -1
}

func space(d []byte, i int) int {
	for i < len(d) && (d[i] == ' ' || d[i] == '\t' || d[i] == '\r' || d[i] == '\n') {
		i++
	}
	return i
}

// comma moves to the next member or to the closing bracket.
func comma(d []byte, i int) int {
	if i = space(d, i); d[i] == ',' {
		i = space(d, i+1)
	}
	return i
}

// str returns the index behind the string that starts at i.
func str(d []byte, i int) int {
	for i++; d[i] != '"'; i++ {
		if d[i] == '\\' {
			i++
		}
	}
	return i + 1
}
