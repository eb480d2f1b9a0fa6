package heartbeat_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/pioneerdesk/tomkit/heartbeat"
)

const (
	enrolToken  = "tk1_enrol_AAECAwQFBgcICQoLDA0ODw_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8"
	deviceToken = "tk1_device_AAECAwQFBgcICQoLDA0ODw_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8"
)

var machineID = strings.Repeat("0123456789abcdef", 4)

func wire(t testing.TB) string {
	b, err := validSample().Encode()
	require.NoError(t, err)
	return string(b)
}

func TestParseSampleRoundTrip(t *testing.T) {
	t.Run("what is encoded is parsed", func(t *testing.T) {
		got, err := heartbeat.ParseSample([]byte(wire(t)))
		require.NoError(t, err)
		require.Equal(t, validSample(), got)
	})
	t.Run("no disks are left out and parsed as none", func(t *testing.T) {
		s := validSample()
		s.Disks = nil
		b, err := s.Encode()
		require.NoError(t, err)
		require.NotContains(t, string(b), "disks")
		got, err := heartbeat.ParseSample(b)
		require.NoError(t, err)
		require.Equal(t, s, got)
	})
	t.Run("white space anywhere is accepted", func(t *testing.T) {
		var indented bytes.Buffer
		require.NoError(t, json.Indent(&indented, []byte(wire(t)), " \t", "\r\n "))
		got, err := heartbeat.ParseSample(append(indented.Bytes(), '\n'))
		require.NoError(t, err)
		require.Equal(t, validSample(), got)
	})
	t.Run("an invalid sample is not encoded", func(t *testing.T) {
		_, err := heartbeat.Sample{}.Encode()
		require.ErrorIs(t, err, heartbeat.ErrInvalid)
	})
}

func TestParseSampleRefuses(t *testing.T) {
	replace := func(old, with string) func(string) string {
		return func(s string) string { return strings.Replace(s, old, with, 1) }
	}
	cases := map[string]struct {
		change func(string) string
		field  string
	}{
		"nothing":                      {func(string) string { return "" }, "sample"},
		"null":                         {func(string) string { return "null" }, "sample"},
		"an array":                     {func(string) string { return "[]" }, "sample"},
		"a text":                       {func(string) string { return `"x"` }, "sample"},
		"an empty object":              {func(string) string { return "{}" }, "v"},
		"half a sample":                {func(s string) string { return s[:len(s)/2] }, "sample"},
		"bytes behind the sample":      {func(s string) string { return s + "{}" }, "sample"},
		"an unknown field":             {replace(`{"v"`, `{"tenant":"x","v"`), "sample"},
		"an unknown field within":      {replace(`{"percent"`, `{"idle":1,"percent"`), "cpu"},
		"an unknown field of a disk":   {replace(`{"mount"`, `{"uuid":"x","mount"`), "disks"},
		"a name in other case":         {replace(`"cpu"`, `"CPU"`), "sample"},
		"a name with escapes":          {replace(`"cpu"`, `"\u0063pu"`), "sample"},
		"a name twice":                 {replace(`"v":1`, `"v":1,"v":1`), "v"},
		"a name twice within":          {replace(`"cores":2`, `"cores":2,"cores":3`), "cpu.cores"},
		"a missing field":              {replace(`"agent_version":"1.4.0",`, ``), "agent_version"},
		"a missing field within":       {replace(`"percent":7.5,`, ``), "cpu.percent"},
		"null in a field":              {replace(`"percent":7.5`, `"percent":null`), "cpu.percent"},
		"null for an optional field":   {replace(`"disks":[`, `"disks":null,"x":[`), "disks"},
		"null in the disks":            {replace(`"disks":[`, `"disks":[null,`), "disks"},
		"an object in place of a text": {replace(`"1.4.0"`, `{}`), "agent_version"},
		"a text in place of an object": {replace(`"cpu":{"percent":7.5,"cores":2}`, `"cpu":"x"`), "cpu"},
		"an object in place of disks":  {replace(`"disks":[{"mount":"/"`, `"disks":{},"x":[{"mount":"/"`), "disks"},
		"a text in place of a number":  {replace(`7.5`, `"7.5"`), "cpu.percent"},
		"NaN":                          {replace(`7.5`, `NaN`), "sample"},
		"infinity by exponent":         {replace(`7.5`, `1e999`), "cpu.percent"},
		"a negative counter":           {replace(`"uptime_seconds":86400`, `"uptime_seconds":-1`), "uptime_seconds"},
		"a fraction of a core":         {replace(`"cores":2`, `"cores":2.5`), "cpu.cores"},
		"a counter beyond 2^53":        {replace(`"uptime_seconds":86400`, `"uptime_seconds":9007199254740992`), "uptime_seconds"},
		"a time without zone":          {replace(`2026-11-02T12:00:00Z`, `2026-11-02T12:00:00`), "sample"},
		"an escaped NUL":               {replace(`debian`, `deb\u0000ian`), "os.name"},
		"half a surrogate pair":        {replace(`debian`, `deb\ud800ian`), "os.name"},
		"invalid UTF-8":                {replace(`debian`, "deb\xffian"), "sample"},
		"more than the limit":          {func(s string) string { return s + strings.Repeat(" ", heartbeat.MaxSampleBytes) }, "sample"},
		"deep nesting":                 {replace(`7.5`, strings.Repeat("[", 5000)+strings.Repeat("]", 5000)), "cpu.percent"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			_, err := heartbeat.ParseSample([]byte(tc.change(wire(t))))
			require.ErrorIs(t, err, heartbeat.ErrInvalid)
			var e *heartbeat.InvalidError
			require.ErrorAs(t, err, &e)
			require.Equal(t, tc.field, e.Field, err.Error())
		})
	}
}

func TestParseErrorsRepeatNoInput(t *testing.T) {
	secret := "geheim-4711"
	for _, body := range []string{
		strings.Replace(wire(t), `{"v"`, `{"`+secret+`":1,"v"`, 1),
		strings.Replace(wire(t), `7.5`, `"`+secret+`"`, 1),
		strings.Replace(wire(t), `2026-11-02T12:00:00Z`, secret, 1),
		strings.Replace(wire(t), `debian`, secret+`\u0000`, 1),
		secret,
	} {
		_, err := heartbeat.ParseSample([]byte(body))
		require.ErrorIs(t, err, heartbeat.ErrInvalid)
		require.NotContains(t, err.Error(), secret)
	}
}

func validEnrol() heartbeat.EnrolRequest {
	return heartbeat.EnrolRequest{Token: enrolToken, Name: "ward-3-pc", OS: "linux", Arch: "amd64", MachineID: machineID}
}

func TestEnrolRequest(t *testing.T) {
	t.Run("what is encoded is parsed", func(t *testing.T) {
		b, err := validEnrol().Encode()
		require.NoError(t, err)
		got, err := heartbeat.ParseEnrolRequest(b)
		require.NoError(t, err)
		require.Equal(t, validEnrol(), got)
		require.Equal(t, enrolToken, got.Token.Reveal())
	})
	for name, change := range map[string]func(*heartbeat.EnrolRequest){
		"a device credential does not enrol":    func(r *heartbeat.EnrolRequest) { r.Token = deviceToken },
		"a truncated token is refused":          func(r *heartbeat.EnrolRequest) { r.Token = r.Token[:len(r.Token)-1] },
		"a token with a line break is refused":  func(r *heartbeat.EnrolRequest) { r.Token = r.Token[:len(r.Token)-1] + "\n" },
		"a missing name is refused":             func(r *heartbeat.EnrolRequest) { r.Name = "" },
		"an overlong name is refused":           func(r *heartbeat.EnrolRequest) { r.Name = strings.Repeat("x", 129) },
		"a name with a line break is refused":   func(r *heartbeat.EnrolRequest) { r.Name = "a\nb" },
		"a machine id in upper case is refused": func(r *heartbeat.EnrolRequest) { r.MachineID = strings.ToUpper(machineID) },
		"a short machine id is refused":         func(r *heartbeat.EnrolRequest) { r.MachineID = machineID[1:] },
	} {
		t.Run(name, func(t *testing.T) {
			r := validEnrol()
			change(&r)
			_, err := r.Encode()
			require.ErrorIs(t, err, heartbeat.ErrInvalid)
			b, err := json.Marshal(r)
			require.NoError(t, err)
			_, err = heartbeat.ParseEnrolRequest(b)
			require.ErrorIs(t, err, heartbeat.ErrInvalid)
			require.NotContains(t, err.Error(), "AAECAwQF")
		})
	}
	t.Run("an oversized request is refused", func(t *testing.T) {
		_, err := heartbeat.ParseEnrolRequest(bytes.Repeat([]byte(" "), heartbeat.MaxEnrolBytes+1))
		require.ErrorIs(t, err, heartbeat.ErrInvalid)
	})
}

func TestEnrolResponse(t *testing.T) {
	valid := heartbeat.EnrolResponse{Tenant: uuid.New(), Device: uuid.New(), Credential: deviceToken}
	b, err := json.Marshal(valid)
	require.NoError(t, err)
	got, err := heartbeat.ParseEnrolResponse(b)
	require.NoError(t, err)
	require.Equal(t, valid, got)

	for name, change := range map[string]func(*heartbeat.EnrolResponse){
		"no tenant":            func(r *heartbeat.EnrolResponse) { r.Tenant = uuid.Nil },
		"no device":            func(r *heartbeat.EnrolResponse) { r.Device = uuid.Nil },
		"no device credential": func(r *heartbeat.EnrolResponse) { r.Credential = enrolToken },
		"credential in newline": func(r *heartbeat.EnrolResponse) {
			r.Credential = heartbeat.Token(deviceToken[:len(deviceToken)-2] + "\n\n")
		},
	} {
		t.Run(name+" is refused", func(t *testing.T) {
			r := valid
			change(&r)
			b, err := json.Marshal(r)
			require.NoError(t, err)
			_, err = heartbeat.ParseEnrolResponse(b)
			require.ErrorIs(t, err, heartbeat.ErrInvalid)
		})
	}
}

func TestParseAccepted(t *testing.T) {
	got, err := heartbeat.ParseAccepted([]byte(`{"accepted":true,"next_seconds":60}`))
	require.NoError(t, err)
	require.Equal(t, heartbeat.Accepted{Accepted: true, NextSeconds: 60}, got)
	for _, body := range []string{
		`{"accepted":false,"next_seconds":60}`, `{"accepted":true}`, `{"accepted":true,"next_seconds":-1}`,
		`{"accepted":true,"next_seconds":86401}`, `{"accepted":true,"next_seconds":60,"x":1}`, `{"accepted":"true","next_seconds":60}`,
	} {
		_, err := heartbeat.ParseAccepted([]byte(body))
		require.ErrorIs(t, err, heartbeat.ErrInvalid, body)
	}
}

func TestTokenHidesItself(t *testing.T) {
	req := validEnrol()
	var log bytes.Buffer
	slog.New(slog.NewTextHandler(&log, nil)).Info("enrol", "token", req.Token, "request", req)
	slog.New(slog.NewJSONHandler(&log, nil)).Info("enrol", "token", req.Token)
	for _, text := range []string{
		log.String(), req.Token.String(), fmt.Sprint(req), fmt.Sprintf("%v %+v %#v %s %q %x %d", req, req, req, req.Token, req.Token, req.Token, req.Token),
		fmt.Sprintf("%v", &req), fmt.Errorf("failed for %v", req.Token).Error(),
	} {
		require.NotContains(t, text, "AAECAwQF")
		require.NotContains(t, text, fmt.Sprintf("%x", "AAECAwQF"))
	}
}

func FuzzParseSample(f *testing.F) {
	f.Add([]byte(wire(f)))
	f.Add([]byte(`{"v":1,"v":2}`))
	f.Add([]byte(`{"disks":[{"mount":"\""},null]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		s, err := heartbeat.ParseSample(data)
		if err != nil {
			require.ErrorIs(t, err, heartbeat.ErrInvalid)
			return
		}
		b, err := s.Encode()
		require.NoError(t, err)
		require.LessOrEqual(t, len(b), heartbeat.MaxSampleBytes)
		again, err := heartbeat.ParseSample(b)
		require.NoError(t, err)
		if len(s.Disks) == 0 {
			s.Disks = nil
		}
		require.Equal(t, s, again)
	})
}

func FuzzParseEnrolRequest(f *testing.F) {
	b, err := validEnrol().Encode()
	require.NoError(f, err)
	f.Add(b)
	f.Add([]byte(`{"token":"tk1_enrol_"}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		r, err := heartbeat.ParseEnrolRequest(data)
		if err != nil {
			require.ErrorIs(t, err, heartbeat.ErrInvalid)
			return
		}
		b, err := r.Encode()
		require.NoError(t, err)
		again, err := heartbeat.ParseEnrolRequest(b)
		require.NoError(t, err)
		require.Equal(t, r, again)
	})
}

func FuzzParseAnswers(f *testing.F) {
	f.Add([]byte(`{"accepted":true,"next_seconds":60}`))
	f.Add([]byte(`{"tenant":"0b6f1b7e-4f2f-4a53-9d52-a8f1d5b5d0c1","device":"0b6f1b7e-4f2f-4a53-9d52-a8f1d5b5d0c2","credential":"` + deviceToken + `"}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		if a, err := heartbeat.ParseAccepted(data); err == nil {
			require.True(t, a.Accepted)
		}
		if r, err := heartbeat.ParseEnrolResponse(data); err == nil {
			require.NoError(t, r.Validate())
		}
	})
}

func BenchmarkParseSample(b *testing.B) {
	body := []byte(wire(b))
	b.ReportAllocs()
	b.SetBytes(int64(len(body)))
	for b.Loop() {
		if _, err := heartbeat.ParseSample(body); err != nil {
			b.Fatal(err)
		}
	}
}
