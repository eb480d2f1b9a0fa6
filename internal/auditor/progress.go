package auditor

import (
	"fmt"
	"io"
	"os"
	"time"

	"golang.org/x/term"

	"github.com/pioneerdesk/tomkit/internal/auditor/words"
	"github.com/pioneerdesk/tomkit/ledger/verify"
)

// barInterval is the time between two redraws.
const barInterval = 100 * time.Millisecond

// bar draws the progress line on a terminal and nothing elsewhere.
type bar struct {
	out         io.Writer // nil: draw nothing
	now         func() time.Time
	start, last time.Time
	drawn       bool
	lang        words.Lang
}

func newBar(out io.Writer, l words.Lang, off bool) *bar {
	f, ok := out.(*os.File)
	if off || !ok || !term.IsTerminal(int(f.Fd())) {
		return &bar{}
	}
	return &bar{out: out, now: time.Now, start: time.Now(), lang: l}
}

func (b *bar) update(p verify.Progress) {
	if b.out == nil {
		return
	}
	now := b.now()
	if now.Sub(b.last) < barInterval {
		return
	}
	b.last, b.drawn = now, true
	fmt.Fprintf(b.out, "\r\x1b[K%s", barText(b.lang, p, now.Sub(b.start)))
}

func (b *bar) done() {
	if b.drawn {
		fmt.Fprint(b.out, "\r\x1b[K")
	}
}

// barText is entries, share, rate and the time left at that rate.
func barText(l words.Lang, p verify.Progress, elapsed time.Duration) string {
	text := l.T("%s of %s entries", l.Number(p.Entries), l.Number(p.Size))
	if p.Size == 0 || p.Entries == 0 || elapsed <= 0 {
		return text
	}
	rate := float64(p.Entries) / elapsed.Seconds()
	text += fmt.Sprintf(", %d %%, %s/s", int(100*(float64(p.Entries)/float64(p.Size))), l.Number(uint64(rate)))
	if p.Entries < p.Size {
		left := time.Duration(float64(p.Size-p.Entries) / rate * float64(time.Second))
		text += l.T(", %s left", left.Round(time.Second))
	}
	return text
}
