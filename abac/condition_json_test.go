package abac_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/pioneerdesk/tomkit/abac"
)

var conditionForms = map[string]abac.Condition{
	`{"tenant":"same"}`:                                            abac.SameTenant(),
	`{"tenant":"within"}`:                                          abac.WithinTenant(),
	`{"label":"dominates"}`:                                        abac.Cleared(),
	`{"mfa":{"level":"multi_factor"}}`:                             abac.MFA(abac.MultiFactor, 0),
	`{"mfa":{"max_age_seconds":60}}`:                               abac.MFA(abac.SingleFactor, time.Minute),
	`{"dual_control":{"max_age_seconds":900}}`:                     abac.DualControl(15 * time.Minute),
	`{"network":["10.0.0.0/8","2001:db8::/32"]}`:                   abac.From(prefixes("2001:db8::/32", "10.0.0.0/8")...),
	`{"network":["10.0.0.0/8","10.0.0.0/16"]}`:                     abac.From(prefixes("10.0.0.0/16", "10.0.0.0/8")...),
	`{"device":{"shows":["managed","screen_lock"]}}`:               abac.Device(abac.Managed|abac.ScreenLock, 0),
	`{"time":{"from":"00:00","to":"24:00","zone":"UTC"}}`:          abac.During(abac.Window{Zone: "UTC", To: 24 * time.Hour}),
	`{"mfa":{"level":"phishing_resistant","max_age_seconds":300}}`: abac.MFA(abac.PhishingResistant, 5*time.Minute),
	`{"device":{"max_age_seconds":3600,"shows":["managed","disk_encrypted","firewall_on","malware_protection","screen_lock","up_to_date"]}}`: abac.Device(abac.Managed|abac.DiskEncrypted|abac.FirewallOn|
		abac.MalwareProtection|abac.ScreenLock|abac.UpToDate, time.Hour),
	`{"time":{"days":["sun","sat"],"from":"22:30","to":"06:00","zone":"Europe/Berlin"}}`: abac.During(abac.Window{
		Zone: "Europe/Berlin", Days: []time.Weekday{time.Saturday, time.Sunday}, From: 22*time.Hour + 30*time.Minute, To: 6 * time.Hour,
	}),
}

func TestConditionsHaveOneForm(t *testing.T) {
	for text, want := range conditionForms {
		t.Run(text, func(t *testing.T) {
			have, err := json.Marshal(want)
			require.NoError(t, err)
			require.Equal(t, text, string(have))
			require.Equal(t, text, want.String())
			var parsed abac.Condition
			require.NoError(t, json.Unmarshal([]byte(text), &parsed))
			require.Equal(t, want, parsed)
		})
	}
}

func TestConditionsOfAnotherFormAreRefused(t *testing.T) {
	for name, text := range map[string]string{
		"nothing":                             ``,
		"an empty object":                     `{}`,
		"null":                                `null`,
		"a list":                              `[]`,
		"a member that is null":               `{"mfa":null}`,
		"two demands":                         `{"label":"dominates","tenant":"same"}`,
		"a demand twice":                      `{"tenant":"same","tenant":"same"}`,
		"a demand in another spelling":        `{"Tenant":"same"}`,
		"an escaped name is the name":         `{"\u0074enant":"other"}`,
		"an unknown demand":                   `{"moon":"full"}`,
		"an unknown demand beside a known":    `{"moon":"full","tenant":"same"}`,
		"an unknown value":                    `{"tenant":"any"}`,
		"an empty value":                      `{"tenant":""}`,
		"an unknown label rule":               `{"label":"equals"}`,
		"an unknown level":                    `{"mfa":{"level":"strong"}}`,
		"the level that demands nothing":      `{"mfa":{"level":"single_factor"}}`,
		"and with an age":                     `{"mfa":{"level":"single_factor","max_age_seconds":5}}`,
		"MFA that demands nothing":            `{"mfa":{}}`,
		"a zero age":                          `{"mfa":{"level":"multi_factor","max_age_seconds":0}}`,
		"a negative age":                      `{"mfa":{"level":"multi_factor","max_age_seconds":-1}}`,
		"an age in words":                     `{"mfa":{"level":"multi_factor","max_age_seconds":"5m"}}`,
		"a broken age":                        `{"mfa":{"level":"multi_factor","max_age_seconds":1.5}}`,
		"an age with an exponent":             `{"mfa":{"level":"multi_factor","max_age_seconds":1e3}}`,
		"an age beyond durations":             `{"mfa":{"level":"multi_factor","max_age_seconds":9223372037}}`,
		"an age beyond exact numbers":         `{"mfa":{"level":"multi_factor","max_age_seconds":9007199254740993}}`,
		"minus zero":                          `{"dual_control":{"max_age_seconds":-0}}`,
		"an approval without an age":          `{"dual_control":{}}`,
		"no network":                          `{"network":[]}`,
		"a host":                              `{"network":["10.0.0.1"]}`,
		"a network with host bits":            `{"network":["10.0.0.1/8"]}`,
		"a network with a zone":               `{"network":["fe80::%eth0/64"]}`,
		"networks out of order":               `{"network":["11.0.0.0/8","10.0.0.0/8"]}`,
		"a network twice":                     `{"network":["10.0.0.0/8","10.0.0.0/8"]}`,
		"a network in its other form":         `{"network":["::ffff:10.0.0.0/104"]}`,
		"a network in long form":              `{"network":["2001:0db8::/32"]}`,
		"an unknown fact of a device":         `{"device":{"shows":["blessed"]}}`,
		"no fact":                             `{"device":{"shows":[]}}`,
		"facts out of order":                  `{"device":{"shows":["screen_lock","managed"]}}`,
		"a fact twice":                        `{"device":{"shows":["managed","managed"]}}`,
		"an hour of one digit":                `{"time":{"from":"8:00","to":"18:00","zone":"UTC"}}`,
		"an hour after 24":                    `{"time":{"from":"08:00","to":"24:01","zone":"UTC"}}`,
		"a minute after 59":                   `{"time":{"from":"08:60","to":"18:00","zone":"UTC"}}`,
		"a time of other characters":          `{"time":{"from":"0x:00","to":"18:00","zone":"UTC"}}`,
		"a time with another separator":       `{"time":{"from":"08.00","to":"18:00","zone":"UTC"}}`,
		"an unknown zone":                     `{"time":{"from":"08:00","to":"18:00","zone":"../etc/passwd"}}`,
		"no zone":                             `{"time":{"from":"08:00","to":"18:00"}}`,
		"an unknown day":                      `{"time":{"days":["Mon"],"from":"08:00","to":"18:00","zone":"UTC"}}`,
		"days out of order":                   `{"time":{"days":["mon","sun"],"from":"08:00","to":"18:00","zone":"UTC"}}`,
		"an empty list of days":               `{"time":{"days":[],"from":"08:00","to":"18:00","zone":"UTC"}}`,
		"a letter outside ASCII":              `{"time":{"from":"08:00","to":"18:00","zone":"Zürich"}}`,
		"invalid UTF-8":                       "{\"tenant\":\"\xff\"}",
		"a comment":                           `{"tenant":"same"/**/}`,
		"something after it":                  `{"tenant":"same"} {}`,
		"a NUL after it":                      "{\"tenant\":\"same\"}\x00",
		"deep nesting":                        `[[[[[[[[[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]]]]]]]]]`,
		"an unknown member beside the age":    `{"dual_control":{"max_age_seconds":900,"who":"me"}}`,
		"a member inside in another spelling": `{"dual_control":{"Max_age_seconds":900}}`,
	} {
		t.Run(name, func(t *testing.T) {
			c := abac.SameTenant()
			require.ErrorIs(t, c.UnmarshalJSON([]byte(text)), abac.ErrFormat)
			require.Equal(t, abac.SameTenant(), c, "nothing is changed")
		})
	}
	t.Run("an age in parts of a second has no form", func(t *testing.T) {
		_, err := abac.MFA(abac.MultiFactor, time.Millisecond).MarshalJSON()
		require.ErrorIs(t, err, abac.ErrFormat)
	})
	t.Run("white space and the order of members are free", func(t *testing.T) {
		var c abac.Condition
		require.NoError(t, c.UnmarshalJSON([]byte(" {\"mfa\" : {\"max_age_seconds\": 5,\n\t\"level\":\"multi_factor\"}}\r\n")))
		require.Equal(t, abac.MFA(abac.MultiFactor, 5*time.Second), c)
	})
}

func FuzzCondition(f *testing.F) {
	for text := range conditionForms {
		f.Add([]byte(text))
	}
	f.Add([]byte(`{"network":["::/0"]}`))
	f.Add([]byte(`{"TENANT":"same"}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		var c abac.Condition
		if err := c.UnmarshalJSON(data); err != nil {
			require.ErrorIs(t, err, abac.ErrFormat)
			require.Equal(t, abac.Condition{}, c)
			return
		}
		require.NoError(t, c.Err())
		text, err := c.MarshalJSON()
		require.NoError(t, err)
		require.True(t, json.Valid(text))
		var again abac.Condition
		require.NoError(t, again.UnmarshalJSON(text))
		require.Equal(t, c, again)
		require.Equal(t, string(text), again.String())
	})
}
