package rlstest

import (
	"regexp"
	"regexp/syntax"
	"slices"
	"strconv"
	"strings"
	"time"
)

// hints are the literals of the conditions a column stands in. They are where values that satisfy them are found.
type hints struct {
	texts, patterns, likes []string
	numbers                []int64
	lengths                bool // the conditions measure something
}

var (
	literalRE = regexp.MustCompile(`(!?~~?\*?\s*)?(E)?'((?:[^']|'')*)'`)
	numberRE  = regexp.MustCompile(`\b\d{1,15}\b`)
	lengthRE  = regexp.MustCompile(`length\(|cardinality\(|array_length\(`)
)

// read collects the literals of a condition.
func (h *hints) read(expr string) {
	for _, m := range literalRE.FindAllStringSubmatch(expr, -1) {
		text := strings.ReplaceAll(m[3], "''", "'")
		if m[2] == "E" {
			text = strings.ReplaceAll(text, `\\`, `\`)
		}
		switch strings.TrimSpace(m[1]) {
		case "~", "~*":
			h.patterns = append(h.patterns, text)
		case "~~", "~~*":
			h.likes = append(h.likes, text)
		default:
			h.texts = append(h.texts, text)
		}
	}
	bare := literalRE.ReplaceAllString(expr, "")
	for _, m := range numberRE.FindAllString(bare, -1) {
		n, _ := strconv.ParseInt(m, 10, 64)
		h.numbers = append(h.numbers, n)
	}
	h.lengths = h.lengths || lengthRE.MatchString(expr)
}

const (
	maxSample = 4096 // longest text made for a length in a condition
	samples   = 4    // texts made for a regular expression
)

// candidates lists values a column might hold, the likeliest first.
func (r random) candidates(c *column, h hints) []value {
	var out []value
	add := func(texts ...string) {
		for _, t := range texts {
			if v := (value{text: t}); !slices.Contains(out, v) {
				out = append(out, v)
			}
		}
	}
	for _, l := range r.shuffled(c.Labels) {
		add(l)
	}
	for _, p := range h.patterns {
		add(r.matching(p)...)
	}
	if plain, ok := r.of(c.Base, c.Category, c.Kind); ok {
		add(plain)
	}
	switch {
	case c.Category == "A":
		add(r.arrays(c, h)...)
	case c.Base == "bytea" && h.lengths:
		for _, n := range h.near(maxSample * 4) {
			add(r.bytes(int(n)))
		}
	case c.Base == "json" || c.Base == "jsonb":
		add(r.documents(h)...)
	case c.Category == "S" || c.Category == "U":
		add(r.texts(h)...)
	case c.Category == "N" || c.Category == "D" || c.Category == "T" || c.Category == "B":
		add(r.ordered(c, h)...)
	}
	add(r.shuffled(h.texts)...)
	if c.Default != "" && c.Generated == "" {
		out = append(out, value{kind: isDefault})
	}
	if !c.NotNull {
		out = append(out, value{kind: isNull})
	}
	return out
}

func (r random) shuffled(texts []string) []string {
	out := slices.Clone(texts)
	r.Shuffle(len(out), func(i, j int) { out[i], out[j] = out[j], out[i] })
	return out
}

// near lists the numbers of the conditions, and those around and between.
func (h hints) near(limit int64) (out []int64) {
	for _, n := range h.numbers {
		for _, m := range []int64{n, n - 1, n + 1} {
			if m >= 0 && m <= limit && !slices.Contains(out, m) {
				out = append(out, m)
			}
		}
	}
	if len(h.numbers) > 1 {
		if mid := (slices.Min(h.numbers) + slices.Max(h.numbers)) / 2; mid <= limit {
			out = append(out, mid)
		}
	}
	return out
}

func (r random) texts(h hints) (out []string) {
	if h.lengths {
		for _, n := range h.near(maxSample) {
			out = append(out, r.token(int(n)))
		}
	}
	for _, like := range h.likes {
		out = append(out, strings.NewReplacer("%", r.token(8), "_", "a").Replace(like))
	}
	for _, t := range slices.Clone(out) {
		out = append(out, strings.ToUpper(t))
	}
	return out
}

// ordered lists numbers and times of the conditions' neighbourhood, and an ascending series for columns that are compared
// with each other.
func (r random) ordered(c *column, h hints) (out []string) {
	if c.Category == "D" {
		for i := range 4 {
			out = append(out, epoch.Add(time.Duration(i*30)*day+time.Duration(r.Int64N(int64(day)))).Format("2006-01-02 15:04:05.000000"))
		}
		return out
	}
	for _, n := range h.near(1 << 50) {
		out = append(out, strconv.FormatInt(n, 10))
	}
	if len(h.numbers) > 1 {
		low, high := slices.Min(h.numbers), slices.Max(h.numbers)
		for range 3 {
			out = append(out, strconv.FormatInt(low+r.Int64N(high-low+1), 10))
		}
	}
	if c.Category == "B" {
		return append(out, "true", "false")
	}
	return append(out, strconv.Itoa(r.IntN(1000)), "0", "1", "-1")
}

func (r random) arrays(c *column, h hints) (out []string) {
	element := func() string {
		if len(h.texts) > 0 {
			return h.texts[r.IntN(len(h.texts))]
		}
		s, _ := r.of(c.Element, "S", "b")
		return s
	}
	for _, n := range append([]int64{1, 2, 0}, h.near(64)...) {
		items := make([]string, n)
		for i := range items {
			items[i] = strconv.Quote(element())
		}
		out = append(out, "{"+strings.Join(items, ",")+"}")
	}
	return out
}

// documents makes objects with the conditions' literals as keys and values.
func (r random) documents(h hints) (out []string) {
	all := func(v string) string {
		var b strings.Builder
		for i, k := range h.texts {
			if i > 0 {
				b.WriteByte(',')
			}
			b.WriteString(strconv.Quote(k) + ":" + v)
		}
		return "{" + b.String() + "}"
	}
	if len(h.texts) > 0 {
		out = append(out, all(strconv.Quote(r.token(16))), all(strconv.Itoa(r.IntN(1000))), all("true"), all("{}"), all("[]"))
	}
	for _, k := range h.texts {
		for _, v := range h.texts {
			out = append(out, `{`+strconv.Quote(k)+`:`+strconv.Quote(v)+`,"note":"`+r.token(16)+`"}`)
		}
	}
	return append(out, `["`+r.token(16)+`"]`, `"`+r.token(16)+`"`, strconv.Itoa(r.IntN(1_000_000)), "{}", "[]", "true")
}

// matching makes texts that match a regular expression, if Go reads it as PostgreSQL does.
func (r random) matching(pattern string) []string {
	re, err := syntax.Parse(pattern, syntax.Perl|syntax.PerlX)
	if err != nil {
		return nil
	}
	var out []string
	for i := range samples {
		var b strings.Builder
		r.match(re.Simplify(), &b, 12>>i)
		out = append(out, b.String())
	}
	return append(out, strings.ToLower(out[0]))
}

// match appends a text for re in which open repetitions repeat about n times.
func (r random) match(re *syntax.Regexp, b *strings.Builder, n int) {
	if b.Len() > maxSample { // nested repetitions multiply
		return
	}
	switch re.Op {
	case syntax.OpLiteral:
		b.WriteString(string(re.Rune))
	case syntax.OpCharClass:
		b.WriteRune(r.oneOf(re.Rune))
	case syntax.OpAnyChar, syntax.OpAnyCharNotNL:
		b.WriteByte('a' + byte(r.IntN(26)))
	case syntax.OpStar, syntax.OpPlus:
		for range max(1, n) {
			r.match(re.Sub[0], b, n)
		}
	case syntax.OpRepeat:
		for range re.Min + min(n, max(0, re.Max-re.Min)) {
			r.match(re.Sub[0], b, n)
		}
	case syntax.OpQuest:
		if n > 2 {
			r.match(re.Sub[0], b, n)
		}
	case syntax.OpAlternate:
		r.match(re.Sub[r.IntN(len(re.Sub))], b, n)
	case syntax.OpConcat, syntax.OpCapture:
		for _, sub := range re.Sub {
			r.match(sub, b, n)
		}
	}
}

// oneOf picks a character of a class given as pairs of bounds, printable if there is one.
func (r random) oneOf(pairs []rune) rune {
	for range 20 {
		i := 2 * r.IntN(len(pairs)/2)
		c := pairs[i] + rune(r.Int64N(int64(min(pairs[i+1], pairs[i]+100)-pairs[i]+1)))
		if c > ' ' && c < 127 && c != '\\' && c != '\'' {
			return c
		}
	}
	return pairs[0]
}
