package words

import (
	"errors"
	"fmt"
	"io/fs"
	"regexp"
	"strings"

	"github.com/pioneerdesk/tomkit/ledger/verify"
)

// Finding says what was found, without the position that Where gives.
func (l Lang) Finding(f verify.Finding) string {
	if l != German {
		return Clean(withoutPosition(f.Err.Error()))
	}
	return Clean(l.reason(f.Err))
}

var position = regexp.MustCompile(`^(entry \d+: |entries \d+–\d+ )`)

// withoutPosition cuts "verify: entry 7: " off, which stands beside the text already, and the package's name within.
func withoutPosition(text string) string {
	return strings.ReplaceAll(position.ReplaceAllString(strings.TrimPrefix(text, "verify: "), ""), "verify: ", "")
}

// reason says in German what an error of package verify says in English.
func (l Lang) reason(err error) string {
	switch e := err.(type) {
	case *verify.MalformedEntryError:
		return "fehlerhaft: " + l.cause(e.Err)
	case *verify.SequenceError:
		return fmt.Sprintf("trägt die Nummer %s", l.Number(e.Have))
	case *verify.TenantError:
		return "gehört einem anderen Mandanten"
	case *verify.TimeError:
		return fmt.Sprintf("entstand %s, vor seinem Vorgänger (%s)", l.Time(e.Have), l.Time(e.Before))
	case *verify.BrokenLinkError:
		return fmt.Sprintf("gebrochene Verkettung: Vorgänger-Hash %x, der Eintrag davor hat %x", e.Have, e.Want)
	case *verify.HashError:
		return fmt.Sprintf("Hash %x folgt nicht aus den Feldern, diese ergeben %x", e.Have, e.Want)
	case *verify.LeafError:
		return "ist nicht der Eintrag, der in den Baum einging"
	case *verify.TileError:
		return fmt.Sprintf("Kachel %s: %s", e.Path, l.said(e.Reason))
	case *verify.RootError:
		return fmt.Sprintf("die Einträge ergeben nicht die Wurzel von %s", l.T(e.File))
	case *verify.TruncatedError:
		return fmt.Sprintf("fehlt: laut %s sind es %s Einträge", l.T(e.By), l.Number(e.Size))
	case *verify.TrailingError:
		return "liegt jenseits des Checkpoints"
	case *verify.SignatureError:
		return l.said(e.Reason)
	case *verify.OpeningError:
		return "Öffnung " + l.said(e.Reason)
	case *verify.MissingOpeningError:
		return "ein personenbezogener Wert fehlt, ohne dass das Protokoll ihn gelöscht hat"
	case *verify.RedactionError:
		return fmt.Sprintf("Löschung durch Eintrag %s: %s", l.Number(e.Entry), l.said(e.Reason))
	case *verify.CheckpointError:
		return l.T(e.File) + ": " + l.cause(e.Err)
	case *verify.ReceiptError:
		return "Quittung: " + l.T(withoutPosition(e.Reason))
	case *verify.FileError:
		return e.File + ": " + l.cause(e.Err)
	case *verify.KeyError:
		return strings.TrimSpace("Schlüssel "+e.Key) + ": " + l.said(e.Reason)
	case *verify.WitnessError:
		return e.File + ": " + strings.TrimSpace("Zeuge "+e.Witness) + ": " + l.said(e.Reason)
	case *verify.GapError:
		return l.said(e.Reason)
	case *verify.ClosedError:
		return l.said(e.Reason)
	}
	return l.T(withoutPosition(err.Error()))
}

// said translates a reason, whole or in the parts it was put together from.
func (l Lang) said(reason string) string {
	var have, want int
	if n, _ := fmt.Sscanf(reason, "cosigned by %d witnesses, must be %d", &have, &want); n == 2 {
		return l.T("cosigned by %d witnesses, must be %d", have, want)
	}
	if rest, ok := strings.CutPrefix(reason, "declares another witnessed root than "); ok {
		return l.T("declares another witnessed root than %s has", l.T(strings.TrimSuffix(rest, " has")))
	}
	if t := l.T(reason); t != reason {
		return t
	}
	if i := strings.Index(reason, " but "); i >= 0 {
		return l.T(reason[:i+len(" but ")]) + l.T(reason[i+len(" but "):])
	}
	return reason
}

var overLimit = regexp.MustCompile(`^(\d+) bytes, limit (\d+)$`)

// cause translates the error inside an error.
func (l Lang) cause(err error) string {
	var field *verify.FieldError
	switch {
	case errors.As(err, &field) && errors.Is(field.Err, verify.ErrTooLarge):
		return field.Field + " " + overLimit.ReplaceAllString(field.Reason, "hat $1 Bytes, erlaubt sind $2")
	case errors.As(err, &field):
		return field.Field + ": " + l.T(field.Reason)
	case errors.Is(err, verify.ErrTooLarge):
		return "zu groß"
	case errors.Is(err, verify.ErrUnsigned):
		return "ohne die nötige Unterschrift eines bekannten, dort gültigen Schlüssels"
	case errors.Is(err, verify.ErrBadSignature):
		return "die Unterschrift stimmt nicht"
	case errors.Is(err, verify.ErrProof):
		return "der Beweis stimmt nicht"
	case errors.Is(err, fs.ErrNotExist):
		return "fehlt"
	}
	return l.T(withoutPosition(err.Error()))
}
