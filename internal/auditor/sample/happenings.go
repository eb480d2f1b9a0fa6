package sample

import (
	"encoding/hex"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/pioneerdesk/tomkit/ledger/record"
	"github.com/pioneerdesk/tomkit/ledger/verify"
)

var people = []string{"erika.mustermann@klinikum.example", "j.dräger@klinikum.example", "o.yılmaz@klinikum.example", "admin@klinikum.example"}

// happening is what happens at a position.
func (l *Log) happening(seq, n uint64, at time.Time) narrated {
	erasure := l.erased[seq]
	switch {
	case seq > 0 && seq == l.options.Rotation:
		return l.rotation(seq, at)
	case seq > 0 && seq == l.options.Recovery:
		return l.recovery(seq, at)
	case l.options.Closing && seq == n-1:
		return l.closing(seq, at)
	case erasure != nil && seq == n*3/4:
		return l.erasure(erasure, at)
	}
	return l.ordinary(seq, at)
}

func (l *Log) ordinary(seq uint64, at time.Time) narrated {
	name := people[l.random.IntN(len(people))]
	user := record.Personal{Subject: uuid.NewSHA1(uuid.NameSpaceDNS, []byte(name)), Value: name}
	device := fmt.Sprintf("station-3-pc-%02d", l.random.IntN(40))
	say := func(template string, critical bool, args map[string]any) narrated {
		args["at"] = at
		return narrated{record.Narrative{Template: template, Args: args}, [2]string{"user", user.Subject.String()}, nil, critical}
	}
	switch p := l.random.IntN(100); {
	case seq == 0:
		return narrated{record.Narrative{Template: "ledger_opened", Args: map[string]any{"log": hex.EncodeToString(l.id[:]), "at": at, "keys": "3"}},
			[2]string{verify.LedgerEntity, hex.EncodeToString(l.id[:])}, nil, true}
	case p < 55:
		return say("login", false, map[string]any{"user": user, "method": "Passwort und TOTP"})
	case p < 75:
		return say("logout", false, map[string]any{"user": user})
	case p < 82:
		return say("login_failed", false, map[string]any{"user": user, "reason": "falsches Passwort"})
	case p < 94:
		return narrated{record.Narrative{Template: "device_enrolled", Args: map[string]any{"device": device, "at": at}}, [2]string{"device", device},
			map[string]any{"os": "Windows 11", "patches": int64(seq % 7)}, false}
	case p < 97:
		return say("remediation_approved", true, map[string]any{"user": user, "script": "Firewall-Regel für Port 445", "count": 12})
	}
	return say("solution_approved", true, map[string]any{"user": user, "solution": "Druckerwarteschlange neu starten"})
}

func (l *Log) rotation(seq uint64, at time.Time) narrated {
	next := newPeriod(seq+1, l.options.Foreign)
	r := verify.Rotation{Reason: "scheduled", Keys: next.keys()}
	return narrated{record.Narrative{Template: "ledger_keys_rotated", Args: map[string]any{"at": at, "reason": "planmäßig", "keys": "3"}},
		[2]string{verify.LedgerEntity, hex.EncodeToString(l.id[:])}, r.Details(), true}
}

// lost is the number of entries that a recovery declares lost.
const lost = 40

func (l *Log) recovery(seq uint64, at time.Time) narrated {
	l.epochs = append(l.epochs, seq)
	first, second := uuid.NewSHA1(uuid.NameSpaceDNS, []byte("a")), uuid.NewSHA1(uuid.NameSpaceDNS, []byte("b"))
	r := verify.Recovery{Epoch: 1, LostFrom: seq, LostUntil: seq + lost, Approvers: [2][16]byte{first, second}}
	return narrated{record.Narrative{Template: "ledger_recovered", Args: map[string]any{"at": at, "epoch": 1, "first": int64(seq), "last": int64(seq + lost - 1),
		"approver": record.Personal{Subject: first, Value: people[0]}, "second": record.Personal{Subject: second, Value: people[1]}}},
		[2]string{verify.LedgerEntity, hex.EncodeToString(l.id[:])}, r.Details(), true}
}

func (l *Log) closing(seq uint64, at time.Time) narrated {
	c := verify.Closing{Size: seq + 1}
	return narrated{record.Narrative{Template: "ledger_closed", Args: map[string]any{"at": at, "count": int64(seq + 1), "reason": "Vertragsende"}},
		[2]string{verify.LedgerEntity, hex.EncodeToString(l.id[:])}, c.Details(), true}
}

func (l *Log) erasure(e *verify.Erasure, at time.Time) narrated {
	count, digest := e.Sum()
	return narrated{record.Narrative{Template: "personal_data_erased", Args: map[string]any{"at": at, "reason": "Art. 17 DSGVO", "count": int64(count), "entries": int64(count)}},
		[2]string{verify.LedgerEntity, hex.EncodeToString(l.id[:])},
		map[string]any{verify.ErasedCount: int64(count), verify.ErasedDigest: hex.EncodeToString(digest[:])}, true}
}
