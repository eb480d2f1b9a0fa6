package rlstest

import (
	"encoding/base32"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"
)

// value is what a column gets: a text that PostgreSQL casts to the column's type, NULL, or the column's default.
type value struct {
	text string
	kind valueKind
}

type valueKind byte

const (
	isText valueKind = iota
	isNull
	isDefault
)

// row is a row's values by column. A row read from the database has no defaults.
type row map[string]value

func literal(s string) string { return "'" + strings.ReplaceAll(s, "'", "''") + "'" }

// sql writes the value as an expression of typ.
func (v value) sql(typ string) string {
	switch v.kind {
	case isNull:
		return "NULL::" + typ
	case isDefault:
		return "DEFAULT"
	}
	if strings.Contains(v.text, `\`) {
		return "CAST(E'" + strings.NewReplacer(`\`, `\\`, "'", "''").Replace(v.text) + "' AS " + typ + ")"
	}
	return "CAST(" + literal(v.text) + " AS " + typ + ")"
}

// textOf turns what a caller gives into a value.
func textOf(v any) (value, error) {
	switch v := v.(type) {
	case nil:
		return value{kind: isNull}, nil
	case string:
		return value{text: v}, nil
	case []byte:
		return value{text: `\x` + hex.EncodeToString(v)}, nil
	case time.Time:
		return value{text: v.Format(time.RFC3339Nano)}, nil
	case fmt.Stringer:
		return value{text: v.String()}, nil
	case map[string]any, []any, json.RawMessage:
		b, err := json.Marshal(v)
		return value{text: string(b)}, err
	}
	return value{text: fmt.Sprint(v)}, nil
}

// random makes values from a seed.
type random struct{ *rand.Rand }

func newRandom(seed, stream uint64) random { return random{rand.New(rand.NewPCG(seed, stream))} }

// token is a lower-case word of n characters that occurs nowhere else.
func (r random) token(n int) string {
	var raw [64]byte
	for i := range raw {
		raw[i] = byte(r.Uint32())
	}
	s := strings.ToLower(base32.StdEncoding.EncodeToString(raw[:]))
	for len(s) < n {
		s += s
	}
	return s[:n]
}

func (r random) bytes(n int) string {
	raw := make([]byte, n)
	for i := range raw {
		raw[i] = byte(r.Uint32())
	}
	return `\x` + hex.EncodeToString(raw)
}

func (r random) uuid() string {
	var id uuid.UUID
	for i := range id {
		id[i] = byte(r.Uint32())
	}
	id[6], id[8] = id[6]&0x0f|0x40, id[8]&0x3f|0x80
	return id.String()
}

// epoch is where generated times lie around.
var epoch = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

const day = 24 * time.Hour

func (r random) time() time.Time {
	return epoch.Add(time.Duration(r.Int64N(int64(300 * day)))).Truncate(time.Microsecond)
}

// typeName splits "character varying(20)" into name and length; no length is 0.
func typeName(typ string) (name string, length int) {
	name, rest, ok := strings.Cut(typ, "(")
	if ok {
		digits, after, _ := strings.Cut(rest, ")")
		digits, _, _ = strings.Cut(digits, ",")
		length, _ = strconv.Atoi(digits)
		name += after
	}
	return name, length
}

// of makes a value of a type; false if the type is not known.
func (r random) of(typ, category, kind string) (string, bool) {
	name, length := typeName(typ)
	switch name {
	case "boolean":
		return strconv.FormatBool(r.IntN(2) == 0), true
	case "smallint":
		return strconv.Itoa(1 + r.IntN(32_000)), true
	case "integer", "oid":
		return strconv.Itoa(1_000_000_000 + r.IntN(1_000_000_000)), true
	case "bigint":
		return strconv.FormatInt(1_000_000_000_000+r.Int64N(1_000_000_000_000), 10), true
	case "uuid":
		return r.uuid(), true
	case "bytea":
		return r.bytes(32), true
	case "json", "jsonb":
		return `{"note": "` + r.token(16) + `"}`, true
	case "xml":
		return "<note>" + r.token(16) + "</note>", true
	case "inet", "cidr":
		return fmt.Sprintf("10.%d.%d.%d/32", r.IntN(256), r.IntN(256), r.IntN(256)), true
	case "macaddr", "macaddr8":
		return fmt.Sprintf("02:00:%02x:%02x:%02x:%02x", r.IntN(256), r.IntN(256), r.IntN(256), r.IntN(256)), true
	case "bit", "bit varying":
		return fmt.Sprintf("%0*b", max(1, length), r.IntN(1<<min(max(1, length), 30))), true
	case "tsvector", "tsquery":
		return r.token(12), true
	case "numeric":
		return r.numeric(typ), true
	}
	if s, ok := r.ofTime(name); ok {
		return s, true
	}
	switch {
	case kind == "r":
		return r.rangeOf(name)
	case category == "N":
		return strconv.Itoa(1 + r.IntN(1_000_000)), true
	case category == "S":
		if length == 0 || length > 16 {
			length = 16
		}
		return r.token(length), true
	case category == "G":
		return fmt.Sprintf("(%d,%d)", r.IntN(1000), r.IntN(1000)), name == "point"
	}
	return "", false
}

// numeric respects precision and scale.
func (r random) numeric(typ string) string {
	_, args, ok := strings.Cut(typ, "(")
	if !ok {
		return strconv.Itoa(1 + r.IntN(1_000_000_000))
	}
	var precision, scale int
	if n, _ := fmt.Sscanf(strings.TrimSuffix(args, ")"), "%d,%d", &precision, &scale); n == 0 {
		return "1"
	}
	limit := int64(1)
	for range min(max(precision-scale, 0), 15) {
		limit *= 10
	}
	return strconv.FormatInt(r.Int64N(limit), 10)
}

func (r random) ofTime(name string) (string, bool) {
	t := r.time()
	switch name {
	case "timestamp with time zone":
		return t.Format("2006-01-02 15:04:05.000000-07"), true
	case "timestamp without time zone":
		return t.Format("2006-01-02 15:04:05.000000"), true
	case "date":
		return t.Format(time.DateOnly), true
	case "time without time zone", "time with time zone":
		return t.Format("15:04:05.000000"), true
	case "interval":
		return strconv.Itoa(1+r.IntN(100_000)) + " seconds", true
	}
	return "", false
}

// rangeOf makes short ranges far from each other, so that they rarely overlap.
func (r random) rangeOf(name string) (string, bool) {
	n := r.IntN(1_000_000)
	switch name {
	case "int4range", "int8range", "numrange":
		return fmt.Sprintf("[%d,%d)", 10*n, 10*n+5), true
	case "daterange":
		d := epoch.Add(time.Duration(n%20_000) * day)
		return "[" + d.Format(time.DateOnly) + "," + d.Add(day).Format(time.DateOnly) + ")", true
	case "tsrange", "tstzrange":
		d := epoch.Add(time.Duration(n) * time.Hour)
		return "[" + d.Format(time.DateTime) + "," + d.Add(time.Minute).Format(time.DateTime) + ")", true
	}
	return "", false
}
