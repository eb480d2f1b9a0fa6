package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
)

func TestLoadRefuses(t *testing.T) {
	valid := state{Version: 1, Server: "https://x", Tenant: uuid.New(), Device: uuid.New(), Credential: deviceToken}
	raw, err := json.Marshal(valid)
	require.NoError(t, err)
	for name, tc := range map[string]struct {
		dirMode, mode os.FileMode
		content       string
		says          string
	}{
		"a state others may read":         {0o700, 0o640, string(raw), "chmod 600"},
		"a directory others may write to": {0o777, 0o600, string(raw), "other users"},
		"half a state":                    {0o700, 0o600, string(raw[:40]), "damaged"},
		"two states":                      {0o700, 0o600, string(raw) + string(raw), "damaged"},
		"an unknown field":                {0o700, 0o600, `{"x":1,` + string(raw[1:]), "damaged"},
		"another version":                 {0o700, 0o600, strings.Replace(string(raw), `"version":1`, `"version":2`, 1), "damaged"},
		"a credential that is none":       {0o700, 0o600, strings.Replace(string(raw), "tk1_device", "tk1_enrol", 1), "damaged"},
		"nothing":                         {0o700, 0o600, "", "damaged"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			path := filepath.Join(dir, stateFile)
			require.NoError(t, os.WriteFile(path, []byte(tc.content), tc.mode))
			require.NoError(t, os.Chmod(path, tc.mode))
			require.NoError(t, os.Chmod(dir, tc.dirMode))
			_, err := load(dir)
			require.ErrorContains(t, err, tc.says)
			require.NotContains(t, err.Error(), secretPart)
		})
	}
	t.Run("a valid state is read", func(t *testing.T) {
		dir := t.TempDir()
		require.NoError(t, os.Chmod(dir, 0o700))
		require.NoError(t, os.WriteFile(filepath.Join(dir, stateFile), raw, 0o600))
		got, err := load(dir)
		require.NoError(t, err)
		require.Equal(t, valid, got)
	})
}

func TestStateDir(t *testing.T) {
	for name, tc := range map[string]struct {
		env  map[string]string
		flag string
		want string
	}{
		"the flag comes first":  {map[string]string{"STATE_DIRECTORY": "/s"}, "/f", "/f"},
		"then systemd's":        {map[string]string{"STATE_DIRECTORY": "/s:/t", "HOME": "/h"}, "", "/s"},
		"never a relative path": {map[string]string{}, "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := (&process{env: tc.env}).stateDir(tc.flag)
			switch {
			case tc.want != "":
				require.Equal(t, tc.want, got)
			case err == nil:
				require.True(t, filepath.IsAbs(got))
			}
		})
	}
}

func FuzzParseState(f *testing.F) {
	f.Add([]byte(`{"version":1,"server":"https://x","tenant":"0b6f1b7e-4f2f-4a53-9d52-a8f1d5b5d0c1","device":"0b6f1b7e-4f2f-4a53-9d52-a8f1d5b5d0c2","credential":"` + deviceToken + `"}`))
	f.Add([]byte(`{}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		st, err := parseState(data)
		if err != nil {
			return
		}
		require.NotEqual(t, uuid.Nil, st.Tenant)
		require.NotEqual(t, uuid.Nil, st.Device)
	})
}
