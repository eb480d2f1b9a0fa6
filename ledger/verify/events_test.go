package verify_test

import (
	"bytes"
	"errors"
	"reflect"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/pioneerdesk/tomkit/ledger/sign"
	"github.com/pioneerdesk/tomkit/ledger/verify"
)

func TestWhatALogSaysAboutItselfRoundTrips(t *testing.T) {
	s := newSigners(800, 8)
	rotation := &verify.Rotation{Reason: "compromise", Keys: s.keys(), Compromised: []sign.KeyID{{1}, {2}}}
	d := must(verify.CanonicalDetails(rotation.Details()))
	if have := must(verify.ParseRotation(d)); !reflect.DeepEqual(have.Details(), rotation.Details()) || have.Keys[2].ID() != s.critic.Public().ID() {
		t.Errorf("rotation %+v", have)
	}
	for _, root := range []*[32]byte{nil, {1, 2}} {
		recovery := &verify.Recovery{Epoch: 2, LostFrom: 3, LostUntil: 9, WitnessedRoot: root, Approvers: [2][16]byte{{1}, {15: 2}}}
		d := must(verify.CanonicalDetails(recovery.Details()))
		if have := must(verify.ParseRecovery(d)); !reflect.DeepEqual(have, recovery) {
			t.Errorf("recovery %+v", have)
		}
	}
	if have := must(verify.ParseClosing([]byte(`{"narrative":{"t":"x"},"size":7}`))); have.Size != 7 {
		t.Errorf("closing %+v", have)
	}
}

func TestDetailsOfALogAboutItselfAreRefused(t *testing.T) {
	s := newSigners(800, 8)
	good := string(must(verify.CanonicalDetails((&verify.Rotation{Reason: "scheduled", Keys: s.keys()[2:]}).Details())))
	id := s.critic.Public().ID().String()
	for name, bad := range map[string]string{
		"no JSON": "{", "no object": "[]", "nothing": "{}", "no keys": `{"keys":[],"reason":"x"}`,
		"four keys":            `{"keys":[{},{},{},{}],"reason":"x"}`,
		"a reason of words":    strings.Replace(good, "scheduled", "by plan", 1),
		"a reason of 65 bytes": strings.Replace(good, "scheduled", strings.Repeat("a", 65), 1),
		"compromise, no ids":   strings.Replace(good, "scheduled", "compromise", 1),
		"ids, no compromise":   strings.Replace(good, `{"keys"`, `{"compromised":["`+id+`"],"keys"`, 1),
		"an id in capitals":    strings.Replace(good, id, strings.ToUpper(id), 1),
		"a member more":        strings.Replace(good, `,"from"`, `,"extra":1,"from"`, 1),
		"another algorithm":    strings.Replace(good, sign.CompositeName, sign.Ed25519Name, 1),
		"a purpose unknown":    strings.Replace(good, `"purpose":"entry"`, `"purpose":"other"`, 1),
		"from nowhere":         strings.Replace(good, `"from":8,`, ``, 1),
		"not canonical":        strings.Replace(good, `"from":8`, `"from": 8`, 1),
		"a key with a break":   strings.Replace(good, `"public":"`, `"public":"\n`, 1),
	} {
		if _, err := verify.ParseRotation([]byte(bad)); !errors.Is(err, verify.ErrMalformed) || bad == good {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func FuzzLogDetails(f *testing.F) {
	s := newSigners(800, 8)
	f.Add(must(verify.CanonicalDetails((&verify.Rotation{Reason: "scheduled", Keys: s.keys()}).Details())))
	f.Add(must(verify.CanonicalDetails((&verify.Recovery{Epoch: 1, LostUntil: 4, WitnessedRoot: &[32]byte{}, Approvers: [2][16]byte{{1}}}).Details())))
	f.Add(must(verify.CanonicalDetails((&verify.Closing{Size: 8}).Details())))
	f.Fuzz(func(t *testing.T, b []byte) {
		again := func(details map[string]any) []byte { return must(verify.CanonicalDetails(details)) }
		if r, err := verify.ParseRotation(b); err == nil {
			if r2, err := verify.ParseRotation(again(r.Details())); err != nil || !reflect.DeepEqual(r.Details(), r2.Details()) {
				t.Fatalf("rotation: %v", err)
			}
		}
		if r, err := verify.ParseRecovery(b); err == nil {
			if r2, err := verify.ParseRecovery(again(r.Details())); err != nil || !reflect.DeepEqual(r, r2) {
				t.Fatalf("recovery: %v", err)
			}
		}
		if c, err := verify.ParseClosing(b); err == nil && must(verify.ParseClosing(again(c.Details()))).Size != c.Size {
			t.Fatal("closing")
		}
	})
}

func TestTimestampsAreFoundBesideTheirCheckpoint(t *testing.T) {
	k := small()
	p := k.parts()
	p.stamps = []verify.TimestampFile{{Size: 13, Anchor: "tsa"}, {Size: 40, Anchor: "tsa"}, {Size: 40, Anchor: "tsa.2"}}
	fsys := p.files()
	if r := check(t, fsys, verify.Config{}); !r.Intact() {
		t.Errorf("%v", r.Findings)
	}
	fsys["timestamps/x/tsa.tsr"], fsys["timestamps/00000000000000000040/note.txt"] = &fstest.MapFile{}, &fstest.MapFile{}
	fsys["timestamps/00000000000000000007/tsa.tsr"] = &fstest.MapFile{Data: []byte("x")}
	list, err := verify.Timestamps(fsys)
	if err != nil || len(list) != 4 || list[0].Size != 7 || list[2] != p.stamps[1] || list[3] != p.stamps[2] {
		t.Fatalf("%v, %v", list, err)
	}
	token, text, err := list[3].Read(fsys)
	if err != nil || string(token) != "tsa.2" || !bytes.HasPrefix(p.head, append(text, '\n')) || bytes.Count(text, []byte("\n")) != 3 {
		t.Errorf("%q, %q, %v", token, text, err)
	}
	if _, text, err := list[1].Read(fsys); err != nil || !bytes.HasPrefix(p.checkpoints[0], text) {
		t.Errorf("an older one: %q, %v", text, err)
	}
	if _, _, err := list[0].Read(fsys); !errors.Is(err, verify.ErrMalformed) {
		t.Errorf("without a checkpoint: %v", err)
	}
	if _, _, err := (verify.TimestampFile{Size: 40, Anchor: "../../log"}).Read(fsys); !errors.Is(err, verify.ErrMalformed) {
		t.Errorf("out of its directory: %v", err)
	}
	fsys["timestamps/00000000000000000040/tsa.tsr"].Data = make([]byte, verify.MaxToken+1)
	if _, _, err := list[2].Read(fsys); !errors.Is(err, verify.ErrTooLarge) {
		t.Errorf("a huge one: %v", err)
	}
	if list, err := verify.Timestamps(k.parts().files()); err != nil || list != nil {
		t.Errorf("none: %v, %v", list, err)
	}
}

func TestWritersRefuseTimestampsNobodyWouldFind(t *testing.T) {
	w := must(verify.NewWriter(mapFiles{}, small().parts().info))
	for _, bad := range []string{"", "a/b", "A", strings.Repeat("a", 65)} {
		if err := w.Timestamp(verify.TimestampFile{Size: 40, Anchor: bad}, nil); !errors.Is(err, verify.ErrMalformed) {
			t.Errorf("anchor %q: %v", bad, err)
		}
	}
	if err := w.Timestamp(verify.TimestampFile{Size: 40, Anchor: "big"}, make([]byte, verify.MaxToken+1)); !errors.Is(err, verify.ErrTooLarge) {
		t.Errorf("a huge token: %v", err)
	}
}
