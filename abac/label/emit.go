package label

import (
	"encoding/xml"
	"fmt"
	"strings"
	"time"
)

// XML returns the one canonical XML form of the label: prefix slab, no declaration, no blanks between elements, categories
// and values sorted, times in UTC. It is to be bound to the data it is about (STANAG 4778), which this package does not do.
// A label without creation time, in a successor too, has no XML form; the error wraps [ErrLabel].
func (l Label) XML() ([]byte, error) {
	for next := l; ; next = next.spec.Succession.Label {
		if next.IsZero() || next.spec.Created.IsZero() {
			return nil, fmt.Errorf("label: xml: no label, or one without creation time: %w", ErrLabel)
		}
		if next.spec.Succession.Label.IsZero() {
			break
		}
	}
	w := &xmlWriter{}
	s := l.spec
	w.open(rootNames[s.Kind], "xmlns:slab", Namespace, "Id", s.ID, "ReviewDateTime", formatTime(s.Review))
	w.label(s)
	w.close(rootNames[s.Kind])
	if w.Len() > MaxXML {
		return nil, fmt.Errorf("label: xml: too long: %w", ErrLabel)
	}
	return []byte(w.String()), nil
}

type xmlWriter struct{ strings.Builder }

// open writes a start tag with those attributes that have a value.
func (w *xmlWriter) open(name string, attributes ...string) {
	w.WriteString("<slab:" + name)
	for i := 0; i < len(attributes); i += 2 {
		if attributes[i+1] != "" {
			w.WriteString(" " + attributes[i] + `="`)
			w.text(attributes[i+1])
			w.WriteString(`"`)
		}
	}
	w.WriteString(">")
}

func (w *xmlWriter) close(name string) { w.WriteString("</slab:" + name + ">") }

func (w *xmlWriter) text(s string) { _ = xml.EscapeText(w, []byte(s)) } // a Builder does not fail

// leaf writes an element with a text, nothing if there is none.
func (w *xmlWriter) leaf(name, text string, attributes ...string) {
	if text == "" {
		return
	}
	w.open(name, attributes...)
	w.text(text)
	w.close(name)
}

func (w *xmlWriter) label(s *Spec) {
	w.open("ConfidentialityInformation")
	w.leaf("PolicyIdentifier", s.Policy, "URI", s.PolicyURI)
	w.leaf("Classification", s.Classification)
	w.leaf("PrivacyMark", s.PrivacyMark)
	for _, c := range s.Categories {
		w.open("Category", "Type", xmlNames[c.Type], "TagName", c.Tag, "URI", c.URI)
		for _, v := range c.Values {
			w.leaf("GenericValue", v)
		}
		w.close("Category")
	}
	w.close("ConfidentialityInformation")
	w.leaf("OriginatorID", s.Originator.Value, "IDType", s.Originator.Type)
	w.leaf("CreationDateTime", formatTime(s.Created))
	if next := s.Succession; !next.Label.IsZero() {
		w.open("SuccessionHandling")
		w.leaf("SuccessionDateTime", formatTime(next.At))
		w.open("SuccessorConfidentialityLabel")
		w.label(next.Label.spec)
		w.close("SuccessorConfidentialityLabel")
		w.close("SuccessionHandling")
	}
}

func formatTime(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.Format(time.RFC3339Nano)
}
