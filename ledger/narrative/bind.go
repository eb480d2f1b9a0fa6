package narrative

import (
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/pioneerdesk/tomkit/ledger/record"
)

// Limits in bytes.
const (
	MaxBytes    = 4096 // bound text
	MaxPersonal = 1024 // one personal value
)

// maxInteger is the largest integer that survives every JSON reader (RFC 8785, I-JSON).
const maxInteger = 1<<53 - 1

// A Committer returns the salted commitment to a personal value and keeps what is needed to open it. It is called once for
// every personal argument, in the order of the sentence.
type Committer func(record.Personal) ([32]byte, error)

// Bind renders n into its bound text, the bytes that are hashed and stored. A nil commit refuses personal arguments.
// Errors wrap [ErrUnknownTemplate], [ErrArgument] or [ErrTooLarge], or are commit's.
func Bind(n record.Narrative, commit Committer) (string, error) {
	t, ok := Lookup(n.Template)
	if !ok {
		return "", fmt.Errorf("narrative: bind: %w", ErrUnknownTemplate)
	}
	values, err := t.values(n.Args, commit)
	if err != nil {
		return "", err
	}
	var b strings.Builder
	for _, p := range t.parts {
		b.WriteString(p.literal)
		if p.arg != "" {
			b.WriteString(values[p.arg])
		}
		switch {
		case p.singular == "":
		case values[p.arg] == "1":
			b.WriteString(" " + p.singular)
		default:
			b.WriteString(" " + p.plural)
		}
	}
	if b.Len() > MaxBytes {
		return "", fmt.Errorf("narrative: bind %s: %d bytes, at most %d: %w", t.id, b.Len(), MaxBytes, ErrTooLarge)
	}
	return b.String(), nil
}

// values renders every argument once. All arguments are checked before the first commitment is made.
func (t *Template) values(args map[string]any, commit Committer) (map[string]string, error) {
	for name := range args {
		if _, known := t.kind(name); !known {
			return nil, &ArgumentError{t.id, name, "unknown"}
		}
	}
	for _, a := range t.args {
		if err := t.check(a, args, commit); err != nil {
			return nil, err
		}
	}
	values := make(map[string]string, len(t.args))
	for _, a := range t.args {
		v, err := render(args[a.Name], commit)
		if err != nil {
			return nil, err
		}
		values[a.Name] = v
	}
	return values, nil
}

func (t *Template) check(a Arg, args map[string]any, commit Committer) error {
	value, given := args[a.Name]
	if !given {
		return &ArgumentError{t.id, a.Name, "missing"}
	}
	fits := false
	switch v := value.(type) {
	case string:
		fits = a.Kind == Text
	case int:
		fits = a.Kind == Count && int64(v) >= -maxInteger && int64(v) <= maxInteger
	case int64:
		fits = a.Kind == Count && v >= -maxInteger && v <= maxInteger
	case time.Time:
		fits = a.Kind == Moment && v.UTC().Year() >= 1 && v.UTC().Year() <= 9999
	case record.Personal:
		fits = a.Kind == Person || a.Kind == Text
		switch {
		case fits && commit == nil:
			return &ArgumentError{t.id, a.Name, "personal values are not accepted here"}
		case fits && len(v.Value) > MaxPersonal:
			return fmt.Errorf("narrative: bind %s: argument %s: %d bytes, at most %d: %w", t.id, a.Name, len(v.Value), MaxPersonal, ErrTooLarge)
		}
	}
	if !fits {
		return &ArgumentError{t.id, a.Name, "want " + a.Kind.String()}
	}
	return nil
}

func render(value any, commit Committer) (string, error) {
	switch v := value.(type) {
	case string:
		return Escape(v), nil
	case int:
		return strconv.Itoa(v), nil
	case int64:
		return strconv.FormatInt(v, 10), nil
	case time.Time:
		return v.UTC().Format("2006-01-02T15:04:05Z"), nil
	case record.Personal:
		c, err := commit(v)
		if err != nil {
			return "", fmt.Errorf("narrative: bind: commit: %w", err)
		}
		return "{c:" + hex.EncodeToString(c[:]) + "}", nil
	}
	return "", fmt.Errorf("narrative: bind: %w", ErrArgument) // not reached: check admits no other type
}
