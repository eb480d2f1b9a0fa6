package remote

import (
	"errors"
	"io"
	"io/fs"
	"sync"

	"github.com/pioneerdesk/tomkit/ledger/verify"
)

const (
	// window is the number of entry bundles fetched ahead, each with the tile beside it.
	window = 12
	// maxAhead bounds a file that is held in memory. A bundle of 256 entries of 1 KiB is an eighth of that; larger ones are read when
	// they are wanted.
	maxAhead = 2 << 20
)

// ahead fetches the files that a verification will read next: it reads bundles and leaf tiles one after another.
type ahead struct {
	f     *FS
	group sync.WaitGroup
	pool  sync.Pool

	mu    sync.Mutex
	size  uint64 // of the log, as its checkpoint claims; zero is unknown
	next  uint64 // index of the bundle expected next
	from  uint64 // index of the first bundle not asked for yet
	slots map[string]*slot
}

// slot is a file on its way.
type slot struct {
	done chan struct{}
	data []byte
	err  error // errTooLarge, fs.ErrNotExist or a fault
}

var errTooLarge = errors.New("too large to hold")

func (a *ahead) init(f *FS) {
	a.f, a.slots = f, map[string]*slot{}
	a.pool.New = func() any { return new([]byte) }
}

func (a *ahead) expect(size uint64) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.size = size
}

// open returns a file that was fetched ahead, or neither file nor error for one that was not.
func (a *ahead) open(t verify.Tile, name string) (fs.File, error) {
	if t.Entries {
		a.advance(t.Index)
	}
	a.mu.Lock()
	s := a.slots[name]
	delete(a.slots, name)
	a.mu.Unlock()
	if s == nil {
		return nil, nil
	}
	<-s.done
	switch {
	case s.err == errTooLarge:
		return nil, nil
	case errors.Is(s.err, fs.ErrNotExist):
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
	case s.err != nil:
		return nil, a.f.failed(name, s.err)
	}
	return &memory{name: name, data: s.data, release: a.release}, nil
}

// advance asks for what follows bundle index, if the bundles are read in order.
func (a *ahead) advance(index uint64) {
	a.mu.Lock()
	defer a.mu.Unlock()
	inOrder := index == a.next
	a.next = index + 1
	if !inOrder || a.size == 0 {
		a.from = 0
		clear(a.slots) // what is on its way ends up nowhere
		return
	}
	a.from = max(a.from, index)
	for ; a.from <= index+window && a.from*verify.TileWidth < a.size; a.from++ {
		t := verify.Tile{Index: a.from, Width: int(min(verify.TileWidth, a.size-a.from*verify.TileWidth))}
		a.fetch(t.Path())
		t.Entries = true
		a.fetch(t.Path())
	}
}

func (a *ahead) fetch(name string) {
	s := &slot{done: make(chan struct{})}
	a.slots[name] = s
	a.group.Go(func() {
		defer close(s.done)
		s.data, s.err = a.download(name)
	})
}

func (a *ahead) download(name string) ([]byte, error) {
	body, err := a.f.stream(name)
	if err != nil {
		return nil, err
	}
	defer body.Close()
	if body.length > maxAhead {
		return nil, errTooLarge
	}
	buf := (*a.pool.Get().(*[]byte))[:0]
	if need := int(max(body.length+1, 512)); cap(buf) < need {
		buf = make([]byte, 0, need)
	}
	for {
		if len(buf) == cap(buf) {
			buf = append(buf, 0)[:len(buf)]
		}
		n, err := body.Read(buf[len(buf):cap(buf)])
		buf = buf[:len(buf)+n]
		switch {
		case len(buf) > maxAhead:
			return nil, errTooLarge
		case err == io.EOF:
			return buf, nil
		case err != nil:
			return nil, err
		}
	}
}

func (a *ahead) release(buf []byte) { a.pool.Put(&buf) }

// memory is a file that was read already.
type memory struct {
	name    string
	data    []byte
	at      int
	release func([]byte)
}

// Read copies what is left.
func (m *memory) Read(b []byte) (int, error) {
	if m.at == len(m.data) {
		return 0, io.EOF
	}
	n := copy(b, m.data[m.at:])
	m.at += n
	return n, nil
}

// Stat returns name and length.
func (m *memory) Stat() (fs.FileInfo, error) { return info{m.name, int64(len(m.data))}, nil }

// Close gives the memory back.
func (m *memory) Close() error {
	if m.release != nil {
		m.release(m.data)
		m.release, m.data, m.at = nil, nil, 0
	}
	return nil
}
