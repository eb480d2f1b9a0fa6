package narrative

import (
	"encoding/hex"
	"fmt"
	"slices"
	"strconv"
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

// Bound is a narrative as an entry carries it.
type Bound struct {
	// Text is the sentence, the bytes that the chain hashes: column nis2_narrative.
	Text string
	// Form is the member [Member] of the entry's details, from which anybody renders Text again.
	Form map[string]any
}

// Bind renders n. A nil commit refuses personal arguments. Errors wrap [ErrUnknownTemplate], [ErrArgument] or
// [ErrTooLarge], or are commit's.
func Bind(n record.Narrative, commit Committer) (Bound, error) {
	t, ok := Lookup(n.Template)
	if !ok {
		return Bound{}, fmt.Errorf("narrative: bind: %w", ErrUnknownTemplate)
	}
	if err := t.checkArgs(n.Args, commit); err != nil {
		return Bound{}, err
	}
	texts, args := make([]string, len(t.args)), make(map[string]any, len(t.args))
	for i, a := range t.args {
		var err error
		if texts[i], args[a.Name], err = render(n.Args[a.Name], commit); err != nil {
			return Bound{}, err
		}
	}
	b := appendSentence(t, make([]byte, 0, 256), texts)
	if len(b) > MaxBytes {
		return Bound{}, fmt.Errorf("narrative: bind %s: %d bytes, at most %d: %w", t.id, len(b), MaxBytes, ErrTooLarge)
	}
	return Bound{Text: string(b), Form: map[string]any{formArgs: args, formTemplate: t.id, formVersion: t.since}}, nil
}

// checkArgs checks all arguments before the first commitment is made.
func (t *Template) checkArgs(args map[string]any, commit Committer) error {
	for _, a := range t.args {
		if err := t.checkArg(a, args, commit); err != nil {
			return err
		}
	}
	if len(args) == len(t.args) {
		return nil
	}
	for name := range args {
		if !slices.ContainsFunc(t.args, func(a Arg) bool { return a.Name == name }) {
			return &ArgumentError{t.id, name, "unknown"}
		}
	}
	return nil
}

func (t *Template) checkArg(a Arg, args map[string]any, commit Committer) error {
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

const momentLayout = "2006-01-02T15:04:05Z"

// render returns an argument as it stands in the sentence and as it stands in the form.
func render(value any, commit Committer) (text string, form any, err error) {
	switch v := value.(type) {
	case string:
		text = Escape(v)
		return text, text, nil
	case int:
		return strconv.Itoa(v), v, nil
	case int64:
		return strconv.FormatInt(v, 10), v, nil
	case time.Time:
		text = v.UTC().Format(momentLayout)
		return text, text, nil
	case record.Personal:
		c, err := commit(v)
		if err != nil {
			return "", nil, fmt.Errorf("narrative: bind: commit: %w", err)
		}
		digits := hex.EncodeToString(c[:])
		return "{c:" + digits + "}", map[string]any{"c": digits}, nil
	}
	return "", nil, fmt.Errorf("narrative: bind: %w", ErrArgument) // not reached: checkArg admits no other type
}
