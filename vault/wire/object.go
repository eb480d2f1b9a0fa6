package wire

import (
	"fmt"
	"math"
	"strconv"
	"time"
)

// Object is a JSON object of an answer. Its readers take the name of a field that must be there, be of the right type and
// not be null; the first that is not makes Err fail, and the reader returns a zero. Fields that nobody asks for are
// ignored. A nil Object has no fields.
type Object struct {
	node
	fault *error // shared by all objects of a document
}

// maxText bounds what Text returns, in bytes.
const maxText = 4096

// Err returns the first failure of a reader of any object in the document: fixed words and the field's name.
func (o *Object) Err() error {
	if o == nil {
		return ErrSyntax
	}
	return *o.fault
}

// Names returns the names of all fields.
func (o *Object) Names() []string {
	if o == nil {
		return nil
	}
	names := make([]string, len(o.names))
	for i, name := range o.names {
		names[i] = string(name)
	}
	return names
}

// Has reports whether there is a field of that name that is not null.
func (o *Object) Has(name string) bool {
	n := o.find(name)
	return n != nil && n.kind != 'n'
}

// Object returns an object.
func (o *Object) Object(name string) *Object {
	if n := o.get(name, '{'); n != nil {
		return &Object{node: *n, fault: o.fault}
	}
	return nil
}

// Objects returns an array of objects.
func (o *Object) Objects(name string) []*Object {
	var out []*Object
	for _, n := range o.array(name, '{') {
		out = append(out, &Object{node: n, fault: o.fault})
	}
	return out
}

// Bytes returns a string as bytes, which belong to the document: copy what is to outlive Wipe.
func (o *Object) Bytes(name string) []byte {
	if n := o.get(name, '"'); n != nil {
		return n.text
	}
	return nil
}

// Text returns a string of at most 4,096 bytes. It is not for secrets: Go strings cannot be zeroed.
func (o *Object) Text(name string) string {
	text := o.Bytes(name)
	if len(text) > maxText {
		o.fail(name)
		return ""
	}
	return string(text)
}

// Texts returns an array of strings of at most 4,096 bytes each.
func (o *Object) Texts(name string) []string {
	var out []string
	for _, n := range o.array(name, '"') {
		if len(n.text) > maxText {
			o.fail(name)
			return nil
		}
		out = append(out, string(n.text))
	}
	return out
}

// Bool returns true or false.
func (o *Object) Bool(name string) bool {
	n := o.find(name)
	if n == nil || n.kind != 't' && n.kind != 'f' {
		o.fail(name)
		return false
	}
	return n.kind == 't'
}

// Int returns an integer written without fraction and exponent.
func (o *Object) Int(name string) int64 {
	n := o.get(name, 0)
	if n == nil {
		return 0
	}
	v, err := strconv.ParseInt(string(n.text), 10, 64)
	if err != nil {
		o.fail(name)
	}
	return v
}

// Seconds returns an integer from 0 as a duration, cut at the longest there is.
func (o *Object) Seconds(name string) time.Duration {
	v := o.Int(name)
	if v < 0 {
		o.fail(name)
		return 0
	}
	return time.Duration(min(v, math.MaxInt64/int64(time.Second))) * time.Second
}

// Time returns a time in the form of RFC 3339.
func (o *Object) Time(name string) time.Time {
	t, err := time.Parse(time.RFC3339Nano, o.Text(name))
	if err != nil {
		o.fail(name)
	}
	return t
}

func (o *Object) find(name string) *node {
	if o == nil {
		return nil
	}
	for i := range o.names {
		if string(o.names[i]) == name {
			return &o.children[i]
		}
	}
	return nil
}

// get returns the field if it is of kind k.
func (o *Object) get(name string, k kind) *node {
	n := o.find(name)
	if n == nil || n.kind != k {
		o.fail(name)
		return nil
	}
	return n
}

// array returns the elements of an array if all are of kind k.
func (o *Object) array(name string, k kind) []node {
	n := o.get(name, '[')
	if n == nil {
		return nil
	}
	for _, element := range n.children {
		if element.kind != k {
			o.fail(name)
			return nil
		}
	}
	return n.children
}

func (o *Object) fail(name string) {
	if o != nil && *o.fault == nil {
		*o.fault = fmt.Errorf("field %s: %w", name, errType)
	}
}
