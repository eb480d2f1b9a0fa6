package label

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"
)

// Namespace is the XML namespace of STANAG 4774's label elements.
const Namespace = "urn:nato:stanag:4774:confidentialitymetadatalabel:1:0"

// maxAttributes bounds the attributes of an element, declarations of namespaces included.
const maxAttributes = 8

var (
	rootNames = [kinds]string{
		"originatorConfidentialityLabel", "alternativeConfidentialityLabel", "metadataConfidentialityLabel", "ConfidentialityLabel",
	}
	xmlTypes = map[string]Type{"RESTRICTIVE": Restrictive, "PERMISSIVE": Permissive, "INFORMATIVE": Informative}
	xmlNames = map[Type]string{Restrictive: "RESTRICTIVE", Permissive: "PERMISSIVE", Informative: "INFORMATIVE"}
)

// An XMLError says where a document left what is accepted, without repeating it.
type XMLError struct {
	Offset int64  // bytes of the document that were read
	Fact   string // what is wrong before it
}

// Error returns the position and the fact.
func (e *XMLError) Error() string { return fmt.Sprintf("label: parse: byte %d: %s", e.Offset, e.Fact) }

// Unwrap returns [ErrLabel].
func (e *XMLError) Unwrap() error { return ErrLabel }

// ParseXML reads one label element, which is the whole document. It is strict as the package's documentation says. The
// error is a *[XMLError] or a *[SpecError].
func ParseXML(document []byte) (Label, error) {
	if len(document) > MaxXML {
		return Label{}, &XMLError{MaxXML, "too long"}
	}
	if fault := markupFault(document); fault != nil {
		return Label{}, fault
	}
	p := &xmlParser{dec: xml.NewDecoder(bytes.NewReader(document))}
	root, err := p.open()
	if err != nil {
		return Label{}, err
	}
	if root.Name.Local == "" {
		return Label{}, p.fault("no element")
	}
	spec, err := p.root(root)
	if err != nil {
		return Label{}, err
	}
	if _, err := p.token(); !errors.Is(err, io.EOF) {
		return Label{}, p.fault("something after the label")
	}
	return New(spec)
}

// markupFault finds what has no place in a label before anything is parsed: document types and with them entities,
// comments, CDATA sections, and instructions other than the XML declaration at the very beginning.
func markupFault(document []byte) error {
	body := document
	if bytes.HasPrefix(body, []byte("<?xml ")) {
		end := bytes.Index(body, []byte("?>"))
		if end < 0 {
			return &XMLError{0, "XML declaration without an end"}
		}
		body = body[end+2:]
	}
	for i, c := range body[:max(0, len(body)-1)] {
		if c == '<' && (body[i+1] == '!' || body[i+1] == '?') {
			return &XMLError{int64(len(document) - len(body) + i), "comment, CDATA, document type or instruction"}
		}
	}
	return nil
}

// xmlParser reads elements of the namespace, one inside the other as their grammar says. It never nests deeper than the
// grammar.
type xmlParser struct{ dec *xml.Decoder }

func (p *xmlParser) fault(fact string) error { return &XMLError{p.dec.InputOffset(), fact} }

// token returns the next token but blanks between elements. Besides *XMLError it returns io.EOF.
func (p *xmlParser) token() (xml.Token, error) {
	for {
		t, err := p.dec.Token()
		if errors.Is(err, io.EOF) {
			return nil, io.EOF
		}
		if err != nil {
			return nil, p.fault("not well-formed")
		}
		switch t := t.(type) {
		case xml.CharData:
			if len(bytes.Trim(t, " \t\r\n")) > 0 {
				return nil, p.fault("text between elements")
			}
		case xml.ProcInst: // the declaration, by markupFault
		default:
			return t, nil
		}
	}
}

// open returns the next element of the namespace that begins, a nameless one if the parent ends or the document does.
func (p *xmlParser) open() (start xml.StartElement, err error) {
	t, err := p.token()
	if errors.Is(err, io.EOF) {
		return start, nil
	}
	if err != nil {
		return start, err
	}
	start, ok := t.(xml.StartElement)
	if !ok {
		return xml.StartElement{}, nil
	}
	if start.Name.Space != Namespace {
		return start, p.fault("element of another namespace")
	}
	return start, p.checkAttributes(start.Attr)
}

func (p *xmlParser) checkAttributes(attrs []xml.Attr) error {
	if len(attrs) > maxAttributes {
		return p.fault("too many attributes")
	}
	for i, a := range attrs {
		for _, before := range attrs[:i] {
			if before.Name == a.Name {
				return p.fault("attribute repeated")
			}
		}
	}
	return nil
}

// attributes hands the unqualified attributes to their places; one without a place is a fault, and so is an empty one.
func (p *xmlParser) attributes(e xml.StartElement, places map[string]*string) error {
	for _, a := range e.Attr {
		if a.Name.Space == "xmlns" || a.Name.Space == "" && a.Name.Local == "xmlns" {
			continue
		}
		place := places[a.Name.Local]
		if a.Name.Space != "" || place == nil || a.Value == "" {
			return p.fault("attribute not known, or empty")
		}
		*place = a.Value
	}
	return nil
}

// text returns the text of an element without elements in it, and reads its end.
func (p *xmlParser) text() (string, error) {
	var b strings.Builder
	for {
		t, err := p.dec.Token()
		if err != nil {
			return "", p.fault("not well-formed")
		}
		switch t := t.(type) {
		case xml.CharData:
			b.Write(t)
		case xml.EndElement:
			return b.String(), nil
		default:
			return "", p.fault("element in a text")
		}
	}
}

// leaf is text for an element with these attributes, which must not be empty.
func (p *xmlParser) leaf(e xml.StartElement, into *string, places map[string]*string) error {
	if *into != "" {
		return p.fault("element repeated")
	}
	if err := p.attributes(e, places); err != nil {
		return err
	}
	text, err := p.text()
	if err == nil && text == "" {
		err = p.fault("empty element")
	}
	*into = text
	return err
}

// collapse normalises the blanks of an xs:token or xs:dateTime.
func collapse(s string) string {
	return strings.Join(strings.FieldsFunc(s, func(r rune) bool { return strings.ContainsRune(" \t\r\n", r) }), " ")
}

func (p *xmlParser) root(e xml.StartElement) (s Spec, err error) {
	for s.Kind = 0; s.Kind < kinds && rootNames[s.Kind] != e.Name.Local; {
		s.Kind++
	}
	if s.Kind == kinds {
		return s, p.fault("not a label element")
	}
	var review string
	if err := p.attributes(e, map[string]*string{"Id": &s.ID, "ReviewDateTime": &review}); err != nil {
		return s, err
	}
	if s.Review, err = p.time(review); err != nil {
		return s, err
	}
	return s, p.label(&s, 1)
}

// label reads the content of a label element: what STANAG 4774 calls the base type.
func (p *xmlParser) label(s *Spec, depth int) error {
	var created string
	const information, originator, creation, succession = 1, 2, 3, 4
	seen := 0 // the last element read; they come in a fixed order, each once
	for {
		e, err := p.open()
		if err != nil {
			return err
		}
		place := map[string]int{
			"ConfidentialityInformation": information, "OriginatorID": originator, "CreationDateTime": creation,
			"SuccessionHandling": succession,
		}[e.Name.Local]
		switch {
		case e.Name.Local == "":
			if seen < creation {
				return p.fault("label without its information or creation time")
			}
			s.Created, err = p.time(created)
			return err
		case place == 0:
			return p.fault("element not known")
		case place <= seen || seen == 0 && place != information:
			return p.fault("element repeated or out of order")
		}
		seen = place
		switch place {
		case information:
			err = p.information(e, s)
		case originator:
			err = p.leaf(e, &s.Originator.Value, map[string]*string{"IDType": &s.Originator.Type})
		case creation:
			err = p.leaf(e, &created, nil)
		case succession:
			err = p.succession(e, s, depth)
		}
		if err != nil {
			return err
		}
	}
}

func (p *xmlParser) information(e xml.StartElement, s *Spec) error {
	if err := p.attributes(e, nil); err != nil {
		return err
	}
	for {
		e, err := p.open()
		if err != nil {
			return err
		}
		switch name := e.Name.Local; {
		case name == "" && s.Classification == "":
			return p.fault("information without policy or classification")
		case name == "":
			s.Policy, s.Classification = collapse(s.Policy), collapse(s.Classification)
			return nil
		case name == "PolicyIdentifier" && s.Classification == "":
			err = p.leaf(e, &s.Policy, map[string]*string{"URI": &s.PolicyURI})
		case name == "Classification" && s.Policy != "" && s.PrivacyMark == "" && s.Categories == nil:
			err = p.leaf(e, &s.Classification, nil)
		case name == "PrivacyMark" && s.Classification != "" && s.Categories == nil:
			err = p.leaf(e, &s.PrivacyMark, nil)
		case name == "Category" && s.Classification != "":
			err = p.category(e, s)
		default:
			err = p.fault("element not known, or out of order")
		}
		if err != nil {
			return err
		}
	}
}

func (p *xmlParser) category(e xml.StartElement, s *Spec) error {
	if len(s.Categories) == MaxCategories {
		return p.fault("too many categories")
	}
	var c Category
	var kind string
	if err := p.attributes(e, map[string]*string{"TagName": &c.Tag, "Type": &kind, "URI": &c.URI}); err != nil {
		return err
	}
	c.Type = xmlTypes[kind]
	if c.Type == 0 || c.Tag == "" {
		return p.fault("category without a type or a tag")
	}
	for {
		e, err := p.open()
		switch {
		case err != nil:
			return err
		case e.Name.Local == "":
			s.Categories = append(s.Categories, c)
			return nil
		case e.Name.Local != "GenericValue" || len(c.Values) == MaxValues:
			return p.fault("value of another kind, or one too many")
		}
		var value string
		if err := p.leaf(e, &value, nil); err != nil {
			return err
		}
		c.Values = append(c.Values, value)
	}
}

func (p *xmlParser) succession(e xml.StartElement, s *Spec, depth int) error {
	if err := p.attributes(e, nil); err != nil {
		return err
	}
	if depth == MaxSuccessions {
		return p.fault("too many successions, one in the other")
	}
	at, err := p.open()
	if err != nil {
		return err
	}
	if at.Name.Local != "SuccessionDateTime" {
		return p.fault("succession without its time")
	}
	var text string
	if err := p.leaf(at, &text, nil); err != nil {
		return err
	}
	if s.Succession.At, err = p.time(text); err != nil {
		return err
	}
	successor, err := p.open()
	if err != nil {
		return err
	}
	if successor.Name.Local != "SuccessorConfidentialityLabel" {
		return p.fault("succession without its label")
	}
	if err := p.attributes(successor, nil); err != nil {
		return err
	}
	var next Spec
	if err := p.label(&next, depth+1); err != nil {
		return err
	}
	if s.Succession.Label, err = New(next); err != nil {
		return err
	}
	if end, err := p.open(); err != nil || end.Name.Local != "" {
		return p.fault("something after the successor")
	}
	return nil
}

// time reads an xs:dateTime with a zone: without one nobody knows when it is. An empty text is no time.
func (p *xmlParser) time(text string) (t time.Time, err error) {
	text = collapse(text)
	if text == "" {
		return t, nil
	}
	_, fraction, _ := strings.Cut(text, ".")
	digits := len(fraction) - len(strings.TrimLeft(fraction, "0123456789"))
	if digits > 9 || t.UnmarshalText([]byte(text)) != nil || t.IsZero() {
		return time.Time{}, p.fault("malformed time, or one without a zone")
	}
	return t, nil
}
