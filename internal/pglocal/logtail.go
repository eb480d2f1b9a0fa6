//go:build unix && !aix && !solaris

package pglocal

import (
	"strings"
	"sync"
)

// mostLog is how much of a program's output goes into an error, in bytes.
const mostLog = 600

// tail is the end of a program's output, on one line.
func tail(out []byte) string {
	lines := strings.FieldsFunc(string(out), func(r rune) bool { return r == '\n' })
	text := strings.Join(lines, " | ")
	if len(text) > mostLog {
		text = "… " + strings.ToValidUTF8(text[len(text)-mostLog:], "")
	}
	return text
}

// lastLines keeps the end of what is written to it.
type lastLines struct {
	mu  sync.Mutex
	end []byte
}

// Write never fails.
func (l *lastLines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.end = append(l.end, p...)
	if len(l.end) > 4*mostLog {
		l.end = append(l.end[:0], l.end[len(l.end)-2*mostLog:]...)
	}
	return len(p), nil
}

func (l *lastLines) reset() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.end = nil
}

func (l *lastLines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return tail(l.end)
}
