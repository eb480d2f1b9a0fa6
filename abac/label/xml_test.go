package label_test

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/pioneerdesk/tomkit/abac/label"
)

const (
	opening = `<slab:originatorConfidentialityLabel xmlns:slab="` + label.Namespace + `">`
	inside  = `<slab:ConfidentialityInformation><slab:PolicyIdentifier>NATO</slab:PolicyIdentifier>` +
		`<slab:Classification>SECRET</slab:Classification></slab:ConfidentialityInformation>`
	when     = `<slab:CreationDateTime>2026-11-29T01:00:00Z</slab:CreationDateTime>`
	closing  = `</slab:originatorConfidentialityLabel>`
	minimal  = opening + inside + when + closing
	category = `<slab:Category Type="PERMISSIVE" TagName="Only"><slab:GenericValue>DEU</slab:GenericValue></slab:Category>`
)

// with puts more into the confidentiality information.
func with(more string) string {
	return strings.Replace(minimal, "</slab:ConfidentialityInformation>", more+"</slab:ConfidentialityInformation>", 1)
}

func TestXMLForm(t *testing.T) {
	l, err := label.New(full(t))
	require.NoError(t, err)
	document, err := l.XML()
	require.NoError(t, err)
	require.Equal(t, `<slab:metadataConfidentialityLabel xmlns:slab="urn:nato:stanag:4774:confidentialitymetadatalabel:1:0" Id="label-1" ReviewDateTime="2031-11-29T01:00:00Z">`+
		`<slab:ConfidentialityInformation><slab:PolicyIdentifier URI="urn:oid:1.3.26.1.3.1">NATO</slab:PolicyIdentifier>`+
		`<slab:Classification>SECRET</slab:Classification><slab:PrivacyMark>Personal &amp; &lt;private&gt;</slab:PrivacyMark>`+
		`<slab:Category Type="RESTRICTIVE" TagName="Additional Sensitivity"><slab:GenericValue>ATOMAL, &#34;x&#34;</slab:GenericValue></slab:Category>`+
		`<slab:Category Type="INFORMATIVE" TagName="Administrative"><slab:GenericValue>STÄBE</slab:GenericValue></slab:Category>`+
		`<slab:Category Type="PERMISSIVE" TagName="Releasable To" URI="urn:oid:1.3.26.1.4.2"><slab:GenericValue>DEU</slab:GenericValue><slab:GenericValue>FRA</slab:GenericValue></slab:Category>`+
		`</slab:ConfidentialityInformation><slab:OriginatorID IDType="rfc822Name">author@example.org</slab:OriginatorID>`+
		`<slab:CreationDateTime>2026-11-29T01:00:00.000000123Z</slab:CreationDateTime>`+
		`<slab:SuccessionHandling><slab:SuccessionDateTime>2027-11-29T01:00:00Z</slab:SuccessionDateTime><slab:SuccessorConfidentialityLabel>`+
		`<slab:ConfidentialityInformation><slab:PolicyIdentifier>NATO</slab:PolicyIdentifier><slab:Classification>RESTRICTED</slab:Classification></slab:ConfidentialityInformation>`+
		`<slab:CreationDateTime>2026-11-29T01:00:00Z</slab:CreationDateTime></slab:SuccessorConfidentialityLabel></slab:SuccessionHandling>`+
		`</slab:metadataConfidentialityLabel>`, string(document))
	read, err := label.ParseXML(document)
	require.NoError(t, err)
	require.True(t, l.Equal(read))
	t.Run("needs a creation time", func(t *testing.T) {
		for _, text := range []string{"TLP:RED", "TLP:RED;created=20261129T010000Z;next=20271129T010000Z,TLP%3AGREEN"} {
			l, err := label.Parse(text)
			require.NoError(t, err)
			_, err = l.XML()
			require.ErrorIs(t, err, label.ErrLabel)
		}
		_, err := label.Label{}.XML()
		require.ErrorIs(t, err, label.ErrLabel)
	})
	t.Run("is limited in size", func(t *testing.T) {
		s := label.Spec{Policy: "P", Classification: "C", Created: created}
		for i := range label.MaxCategories {
			s.Categories = append(s.Categories, label.Category{Tag: fmt.Sprint(i), Type: label.Restrictive, Values: numbered(label.MaxValues)})
		}
		l, err := label.New(s)
		require.NoError(t, err)
		_, err = l.XML()
		require.ErrorIs(t, err, label.ErrLabel)
	})
}

func TestParseXMLReadsWhatOthersWrite(t *testing.T) {
	for name, tc := range map[string]struct{ document, want string }{
		"the shortest label": {minimal, "NATO:SECRET;created=20261129T010000Z"},
		"a declaration, another prefix, blanks between elements and around tokens": {`<?xml version="1.0" encoding="UTF-8"?>
<o:originatorConfidentialityLabel xmlns:o="` + label.Namespace + `" xmlns:unused="urn:x" ReviewDateTime="2031-09-26T00:00:00Z">
  <o:ConfidentialityInformation>
    <o:PolicyIdentifier URI="urn:oid:2.25.7">EXAMPLE</o:PolicyIdentifier>
    <o:Classification>
      TOP
      SECRET
    </o:Classification>
    <o:Category Type="PERMISSIVE" TagName="Releasable To" URI="urn:oid:2.25.7.2">
      <o:GenericValue>XBB</o:GenericValue>
      <o:GenericValue>XAA</o:GenericValue>
    </o:Category>
  </o:ConfidentialityInformation>
  <o:OriginatorID IDType="rfc822Name">author@example.org</o:OriginatorID>
  <o:CreationDateTime>
     2026-09-26T14:00:00+02:00
  </o:CreationDateTime>
</o:originatorConfidentialityLabel>
`, "EXAMPLE:TOP%20SECRET;any:Releasable%20To=XAA,XBB,oid:2.25.7.2;uri=urn%3Aoid%3A2.25.7;by=rfc822Name,author@example.org;" +
			"created=20260926T120000Z;review=20310926T000000Z"},
		"the namespace as the default":  {strings.NewReplacer("slab:", "", ":slab", "").Replace(minimal), "NATO:SECRET;created=20261129T010000Z"},
		"characters written as numbers": {strings.Replace(minimal, ">SECRET<", ">SE&#67;R&#x45;T<", 1), "NATO:SECRET;created=20261129T010000Z"},
		"an alternative label":          {strings.ReplaceAll(minimal, "originatorC", "alternativeC"), "NATO:SECRET;kind=alternative;created=20261129T010000Z"},
		"a label of an older producer":  {strings.ReplaceAll(minimal, "originatorC", "C"), "NATO:SECRET;kind=plain;created=20261129T010000Z"},
		"a category and a privacy mark": {with(`<slab:PrivacyMark>CLINICAL</slab:PrivacyMark>` + category), "NATO:SECRET;any:Only=DEU;mark=CLINICAL;created=20261129T010000Z"},
	} {
		t.Run(name, func(t *testing.T) {
			l, err := label.ParseXML([]byte(tc.document))
			require.NoError(t, err)
			require.Equal(t, tc.want, l.String())
		})
	}
}

// attacks are documents that a careless reader would take, and what is wrong with them.
func attacks() map[string]string {
	doctype := `<!DOCTYPE x [<!ENTITY e "SECRET"><!ENTITY f SYSTEM "file:///etc/passwd">]>`
	lol := `<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;"><!ENTITY c "&b;&b;&b;&b;&b;&b;&b;&b;">]>`
	nested := func(n int) string {
		s := opening + inside + when
		for range n {
			s += `<slab:SuccessionHandling><slab:SuccessionDateTime>2027-11-29T01:00:00Z</slab:SuccessionDateTime><slab:SuccessorConfidentialityLabel>` + inside + when
		}
		return s + strings.Repeat(`</slab:SuccessorConfidentialityLabel></slab:SuccessionHandling>`, n) + closing
	}
	replace := func(old, new string) string { return strings.Replace(minimal, old, new, 1) }
	return map[string]string{
		"nothing":                             "",
		"blanks":                              " \n ",
		"text":                                "SECRET",
		"a document type":                     doctype + minimal,
		"an entity of its own":                doctype + replace(">SECRET<", ">&e;<"),
		"an external entity":                  doctype + replace(">SECRET<", ">&f;<"),
		"entities that multiply":              lol + replace(">SECRET<", ">&c;<"),
		"an entity that nobody declared":      replace(">SECRET<", ">&e;<"),
		"an HTML entity":                      replace(">SECRET<", ">SECRET&nbsp;<"),
		"a parameter entity":                  `<!DOCTYPE x [<!ENTITY % p SYSTEM "http://example.org/x.dtd"> %p;]>` + minimal,
		"a comment":                           replace("<slab:Classification>", "<!-- x --><slab:Classification>"),
		"a comment that cuts a value":         replace(">SECRET<", ">RESTRICTED<!-- --> SECRET<"),
		"a CDATA section":                     replace(">SECRET<", "><![CDATA[SECRET]]><"),
		"an instruction":                      replace("<slab:Classification>", "<?x y?><slab:Classification>"),
		"a stylesheet":                        `<?xml version="1.0"?><?xml-stylesheet href="x"?>` + minimal,
		"two declarations":                    `<?xml version="1.0"?><?xml version="1.0"?>` + minimal,
		"a declaration after a blank":         ` <?xml version="1.0"?>` + minimal,
		"a declaration without an end":        `<?xml version="1.0"`,
		"another version of XML":              `<?xml version="1.1"?>` + minimal,
		"another encoding":                    `<?xml version="1.0" encoding="UTF-16"?>` + minimal,
		"a byte order mark":                   "\ufeff" + minimal,
		"bytes that are not UTF-8":            replace(">SECRET<", ">SE\xffCRET<"),
		"a null byte":                         replace(">SECRET<", ">SE\x00CRET<"),
		"a null character":                    replace(">SECRET<", ">SE&#0;CRET<"),
		"another namespace":                   replace(label.Namespace, "urn:nato:stanag:4774:confidentialitymetadatalabel:2:0"),
		"no namespace":                        strings.NewReplacer("slab:", "", ` xmlns:slab="`+label.Namespace+`"`, "").Replace(minimal),
		"a prefix that is not declared":       replace(` xmlns:slab="`+label.Namespace+`"`, ""),
		"a prefix that is bound anew":         replace("<slab:Classification>", `<slab:Classification xmlns:slab="urn:x">`),
		"an element of another namespace":     with(`<x:Marking xmlns:x="urn:x">y</x:Marking>`),
		"the root of something else":          strings.ReplaceAll(minimal, "originatorConfidentialityLabel", "ConfidentialityInformation"),
		"the root of a binding":               `<mb:BindingInformation xmlns:mb="urn:nato:stanag:4778:bindinginformation:1:0">` + minimal + `</mb:BindingInformation>`,
		"two labels":                          minimal + minimal,
		"text after the label":                minimal + "x",
		"an end too many":                     minimal + closing,
		"an end that is missing":              strings.TrimSuffix(minimal, closing),
		"an end of another name":              strings.Replace(minimal, closing, "</slab:x>", 1),
		"text between elements":               replace(when, "SECRET"+when),
		"an element that is not known":        with("<slab:Other>x</slab:Other>"),
		"an element in a text":                replace(">SECRET<", ">SE<slab:b/>CRET<"),
		"no information":                      opening + when + closing,
		"no creation time":                    opening + inside + closing,
		"no policy":                           replace("<slab:PolicyIdentifier>NATO</slab:PolicyIdentifier>", ""),
		"no classification":                   replace("<slab:Classification>SECRET</slab:Classification>", ""),
		"an empty classification":             replace(">SECRET<", "><"),
		"a blank classification":              replace(">SECRET<", ">  <"),
		"the information twice":               opening + inside + inside + when + closing,
		"the information last":                opening + when + inside + closing,
		"two creation times":                  opening + inside + when + when + closing,
		"two policies":                        with("<slab:PolicyIdentifier>EU</slab:PolicyIdentifier>"),
		"a policy after its classification":   replace(`<slab:PolicyIdentifier>NATO</slab:PolicyIdentifier><slab:Classification>SECRET</slab:Classification>`, `<slab:Classification>SECRET</slab:Classification><slab:PolicyIdentifier>NATO</slab:PolicyIdentifier>`),
		"two classifications":                 with("<slab:Classification>UNCLASSIFIED</slab:Classification>"),
		"a classification after the category": with(category + "<slab:Classification>UNCLASSIFIED</slab:Classification>"),
		"two privacy marks":                   with("<slab:PrivacyMark>a</slab:PrivacyMark><slab:PrivacyMark>b</slab:PrivacyMark>"),
		"a privacy mark after the category":   with(category + "<slab:PrivacyMark>a</slab:PrivacyMark>"),
		"a category twice":                    with(category + category),
		"a category twice, as a remark":       with(category + strings.Replace(category, "PERMISSIVE", "INFORMATIVE", 1)),
		"a value twice":                       with(strings.Replace(category, "</slab:Category>", "<slab:GenericValue>DEU</slab:GenericValue></slab:Category>", 1)),
		"a category without values":           with(`<slab:Category Type="PERMISSIVE" TagName="Only"></slab:Category>`),
		"an empty value":                      with(strings.Replace(category, "DEU", "", 1)),
		"a value in blanks":                   with(strings.Replace(category, "DEU", " DEU ", 1)),
		"an integer value":                    with(strings.ReplaceAll(category, "GenericValue", "IntegerValue")),
		"a bit string value":                  with(strings.ReplaceAll(category, "GenericValue", "BitStringValue")),
		"a type in lower case":                with(strings.Replace(category, "PERMISSIVE", "permissive", 1)),
		"a category without a type":           with(strings.Replace(category, ` Type="PERMISSIVE"`, "", 1)),
		"a category without a tag":            with(strings.Replace(category, ` TagName="Only"`, "", 1)),
		"an attribute twice":                  with(strings.Replace(category, "<slab:Category ", `<slab:Category Type="INFORMATIVE" `, 1)),
		"a namespace declared twice":          replace(opening, strings.Replace(opening, " xmlns", ` xmlns:slab="urn:x" xmlns`, 1)),
		"an attribute that is not known":      replace("<slab:Classification>", `<slab:Classification x="y">`),
		"an attribute with a prefix":          with(strings.Replace(category, " Type", " slab:Type", 1)),
		"an empty attribute":                  with(strings.Replace(category, " Type", ` URI="" Type`, 1)),
		"a URI at a classification":           replace("<slab:Classification>", `<slab:Classification URI="urn:oid:1.2">`),
		"a policy URI that is no oid":         replace("<slab:PolicyIdentifier>", `<slab:PolicyIdentifier URI="http://example.org/">`),
		"an attribute at the information":     replace("<slab:ConfidentialityInformation>", `<slab:ConfidentialityInformation x="y">`),
		"xml:space":                           replace("<slab:Classification>", `<slab:Classification xml:space="preserve">`),
		"too many attributes":                 replace(" xmlns:slab", ` xmlns:a="a" xmlns:b="b" xmlns:c="c" xmlns:d="d" xmlns:e="e" xmlns:f="f" xmlns:g="g" xmlns:h="h" xmlns:slab`),
		"an id that is no name":               replace(" xmlns:slab", ` Id="1" xmlns:slab`),
		"a time without a zone":               replace("01:00:00Z", "01:00:00"),
		"a time without a date":               replace("2026-11-29T", ""),
		"a time that does not exist":          replace("2026-11-29", "2026-02-30"),
		"a leap second":                       replace("01:00:00Z", "01:00:60Z"),
		"a year of five digits":               replace("2026-", "12026-"),
		"the year zero":                       replace("2026-", "0000-"),
		"a fraction finer than we keep":       replace("01:00:00Z", "01:00:00.1234567891Z"),
		"a zone that does not exist":          replace("01:00:00Z", "01:00:00+25:00"),
		"a malformed review time":             replace(" xmlns:slab", ` ReviewDateTime="soon" xmlns:slab`),
		"an originator of no type":            opening + inside + "<slab:OriginatorID>x</slab:OriginatorID>" + when + closing,
		"an originator of an unknown type":    opening + inside + `<slab:OriginatorID IDType="x">x</slab:OriginatorID>` + when + closing,
		"an originator after the time":        opening + inside + when + `<slab:OriginatorID IDType="jID">x</slab:OriginatorID>` + closing,
		"a succession without anything":       opening + inside + when + "<slab:SuccessionHandling></slab:SuccessionHandling>" + closing,
		"a succession without its label":      opening + inside + when + "<slab:SuccessionHandling><slab:SuccessionDateTime>2027-11-29T01:00:00Z</slab:SuccessionDateTime></slab:SuccessionHandling>" + closing,
		"a succession in the wrong order":     opening + inside + when + "<slab:SuccessionHandling><slab:SuccessorConfidentialityLabel>" + inside + when + "</slab:SuccessorConfidentialityLabel><slab:SuccessionDateTime>2027-11-29T01:00:00Z</slab:SuccessionDateTime></slab:SuccessionHandling>" + closing,
		"a successor with an attribute":       strings.Replace(nested(1), "<slab:SuccessorConfidentialityLabel>", `<slab:SuccessorConfidentialityLabel Id="x">`, 1),
		"something after a successor":         strings.Replace(nested(1), "</slab:SuccessionHandling>", when+"</slab:SuccessionHandling>", 1),
		"a succession that is too deep":       nested(label.MaxSuccessions),
		"a succession that is much too deep":  nested(150),
		"elements that nest without an end":   strings.Repeat(opening, 400),
		"too many categories":                 with(strings.Repeat(category, label.MaxCategories+1)),
		"too many values":                     with(strings.Replace(category, "<slab:GenericValue>DEU</slab:GenericValue>", strings.Repeat("<slab:GenericValue>D</slab:GenericValue>", label.MaxValues+1), 1)),
		"a text that is too long":             replace(">SECRET<", ">"+strings.Repeat("S", label.MaxText+1)+"<"),
		"a document that is too long":         replace(">SECRET<", ">"+strings.Repeat(" ", label.MaxXML)+"SECRET<"),
		"a name with two colons":              strings.ReplaceAll(minimal, "slab:Classification", "slab:slab:Classification"),
		"invisible characters":                replace(">SECRET<", ">SEC\u200bRET<"),
	}
}

func TestParseXMLRefuses(t *testing.T) {
	for name, document := range attacks() {
		t.Run(name, func(t *testing.T) {
			require.NotEqual(t, minimal, document, "the attack changes nothing")
			l, err := label.ParseXML([]byte(document))
			require.ErrorIs(t, err, label.ErrLabel)
			require.True(t, l.IsZero())
			require.NotContains(t, err.Error(), "SECRET", "an error repeats nothing of the document")
		})
	}
	_, err := label.ParseXML([]byte(minimal))
	require.NoError(t, err)
}

func FuzzParseXML(f *testing.F) {
	f.Add([]byte(minimal))
	f.Add([]byte(with(category)))
	for _, document := range attacks() {
		if len(document) < 4096 {
			f.Add([]byte(document))
		}
	}
	f.Fuzz(func(t *testing.T, document []byte) {
		l, err := label.ParseXML(document)
		if err != nil {
			require.ErrorIs(t, err, label.ErrLabel)
			return
		}
		require.False(t, bytes.Contains(document, []byte("<!")))
		out, err := l.XML()
		if err != nil {
			require.Greater(t, len(document), label.MaxXML/8, "escaping made it too long")
			return
		}
		again, err := label.ParseXML(out)
		require.NoError(t, err)
		require.True(t, l.Equal(again))
		if text := l.String(); len(text) <= label.MaxCompact {
			parsed, err := label.Parse(text)
			require.NoError(t, err)
			require.True(t, l.Equal(parsed))
		}
	})
}

func FuzzParse(f *testing.F) {
	for _, text := range []string{
		"TLP:AMBER+STRICT", "NATO:SECRET;all:A=x;any:B=y,z,oid:1.2;info:C=w;kind=metadata;id=a;uri=urn%3Aoid%3A1;mark=m;by=jID,x;created=20261129T010000Z",
		"P:C;review=20261129T010000.5Z;next=20271129T010000Z,P%3AD", "P:C;all:%C3%9C=%20",
	} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		l, err := label.Parse(text)
		if err != nil {
			require.ErrorIs(t, err, label.ErrLabel)
			return
		}
		require.Equal(t, text, l.String())
	})
}

func FuzzParseClearance(f *testing.F) {
	f.Add("NATO:SECRET;Only=DEU;Releasable%20To=DEU,FRA TLP:AMBER")
	f.Add("DEU:GEHEIM")
	f.Fuzz(func(t *testing.T, text string) {
		if c, err := label.ParseClearance(text, label.Policies()...); err == nil {
			require.Equal(t, text, c.String())
		}
	})
}
