package verify

import (
	"bufio"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"
)

// Names of the files of an export, beside the tiles.
const (
	fileLog         = "log.json"
	fileKeys        = "keys.json"
	fileCheckpoint  = "checkpoint"
	dirCheckpoints  = "checkpoints"
	fileSignatures  = "signatures.jsonl"
	fileOpenings    = "openings.jsonl"
	fileRedactions  = "redactions.jsonl"
	exportFormat    = "tomkit-export/v1"
	checkpointDigit = 20 // digits of a file name in checkpoints/, so that names sort as numbers
)

// LogInfo describes an export: the content of log.json. It is not signed; what counts is checked against the rest.
type LogInfo struct {
	// Origin of the log; its log id is the one in the file.
	Origin string
	// Exporter names the program and version that wrote the export.
	Exporter string
	// ExportedAt is the time of the export.
	ExportedAt time.Time
	// Openings says that the export carries every opening that was not erased. Without it, personal values are withheld
	// and a missing opening is no fault.
	Openings bool
}

type logFile struct {
	Format     string    `json:"format"`
	Origin     string    `json:"origin"`
	Log        string    `json:"log"`
	Exporter   string    `json:"exporter"`
	ExportedAt time.Time `json:"exported_at"`
	Openings   bool      `json:"openings"`
}

// phases of a Writer, in the order its methods may be called.
const (
	phaseEntries = iota
	phaseSignatures
	phaseOpenings
	phaseRedactions
	phaseCheckpoints
	phaseTimestamps
	phaseClosed
)

// ErrOrder reports calls to a Writer in an order its files cannot be written in.
var ErrOrder = errors.New("verify: export written out of order")

// Writer writes an export as a stream, in memory independent of its length: first all entries, then all signatures,
// openings, redactions, older checkpoints and time stamps, each in ascending order, then Close. Any of them may be absent. It does
// not judge what it writes: a damaged log is exported as it is, for the verifier to find. It is not safe for concurrent
// use; after an error it is of no use.
type Writer struct {
	files Files
	info  LogInfo
	logID [16]byte
	phase int

	size   uint64
	bundle []byte
	levels []levelHashes
	side   io.WriteCloser // the open side file
	buf    *bufio.Writer
	line   []byte
}

// levelHashes are the hashes of a level's last, unfinished tile.
type levelHashes struct {
	hashes []byte
	tree   Tree
	index  uint64
}

// NewWriter returns a Writer of an export into files.
func NewWriter(files Files, info LogInfo) (*Writer, error) {
	_, id, _, err := ParseOrigin(info.Origin)
	if err != nil {
		return nil, err
	}
	return &Writer{files: files, info: info, logID: id}, nil
}

// Append writes the next entry. leaf is the hash under which the log stores it, which tiles are made of; a log that
// stores none passes LeafHash(canonical), and then the verifier can place less exactly what was changed.
func (w *Writer) Append(canonical []byte, leaf [32]byte) error {
	if w.phase != phaseEntries {
		return ErrOrder
	}
	if len(canonical) > MaxEntry {
		return tooLarge("entry", len(canonical), MaxEntry)
	}
	w.bundle = AppendBundle(w.bundle, canonical)
	w.size++
	if w.size%TileWidth == 0 {
		if err := w.flushBundle(TileWidth); err != nil {
			return err
		}
	}
	return w.addHash(0, leaf)
}

func (w *Writer) flushBundle(width int) error {
	t := Tile{Entries: true, Index: (w.size - 1) / TileWidth, Width: width}
	err := w.put(t.Path(), w.bundle)
	w.bundle = w.bundle[:0]
	return err
}

// addHash adds a hash to the tile at a level and, when that is full, its root to the level above.
func (w *Writer) addHash(level int, h [32]byte) error {
	if level == len(w.levels) {
		w.levels = append(w.levels, levelHashes{})
	}
	l := &w.levels[level]
	l.hashes = append(l.hashes, h[:]...)
	l.tree.Append(h)
	if len(l.hashes) < MaxTile {
		return nil
	}
	root := l.tree.Root()
	if err := w.put(Tile{Level: level, Index: l.index, Width: TileWidth}.Path(), l.hashes); err != nil {
		return err
	}
	l.hashes, l.tree, l.index = l.hashes[:0], Tree{}, l.index+1
	return w.addHash(level+1, root)
}

func (w *Writer) put(name string, content []byte) error {
	f, err := w.files.Create(name)
	if err != nil {
		return fmt.Errorf("verify: export: %w", err)
	}
	_, err = f.Write(content)
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err != nil {
		return fmt.Errorf("verify: export: %w", err)
	}
	return nil
}

// enter moves to a phase and opens its side file, if it has one.
func (w *Writer) enter(phase int, name string) error {
	if w.phase == phase {
		return nil
	}
	if w.phase > phase {
		return ErrOrder
	}
	if err := w.leave(); err != nil {
		return err
	}
	w.phase = phase
	if name == "" {
		return nil
	}
	f, err := w.files.Create(name)
	if err != nil {
		return fmt.Errorf("verify: export: %w", err)
	}
	w.side, w.buf = f, bufio.NewWriterSize(f, 64<<10)
	return nil
}

// leave finishes the phase before: the partial tiles, or the open side file.
func (w *Writer) leave() error {
	if w.phase == phaseEntries {
		return w.finishTiles()
	}
	if w.side == nil {
		return nil
	}
	err := w.buf.Flush()
	if cerr := w.side.Close(); err == nil {
		err = cerr
	}
	w.side = nil
	if err != nil {
		return fmt.Errorf("verify: export: %w", err)
	}
	return nil
}

func (w *Writer) finishTiles() error {
	if n := w.size % TileWidth; n != 0 {
		if err := w.flushBundle(int(n)); err != nil {
			return err
		}
	}
	for level, l := range w.levels {
		if n := len(l.hashes) / 32; n != 0 {
			if err := w.put(Tile{Level: level, Index: l.index, Width: n}.Path(), l.hashes); err != nil {
				return err
			}
		}
	}
	return nil
}

func (w *Writer) write(line []byte) error {
	w.line = line
	if _, err := w.buf.Write(line); err != nil {
		return fmt.Errorf("verify: export: %w", err)
	}
	return nil
}

// Signature writes the signature of a critical entry; seq ascends.
func (w *Writer) Signature(s EntrySignature) error {
	if err := w.enter(phaseSignatures, fileSignatures); err != nil {
		return err
	}
	return w.write(s.appendLine(w.line[:0]))
}

// Opening writes the opening of a commitment; seq ascends, and commitments ascend within an entry.
func (w *Writer) Opening(o Opening) error {
	if err := w.enter(phaseOpenings, fileOpenings); err != nil {
		return err
	}
	line, err := o.appendLine(w.line[:0])
	if err != nil {
		return err
	}
	return w.write(line)
}

// Redaction writes that a commitment's value was erased; seq ascends, and commitments ascend within an entry.
func (w *Writer) Redaction(r Redaction) error {
	if err := w.enter(phaseRedactions, fileRedactions); err != nil {
		return err
	}
	return w.write(r.appendLine(w.line[:0]))
}

// WithholdOpenings takes back LogInfo.Openings: the export does not claim to carry every opening after all.
func (w *Writer) WithholdOpenings() { w.info.Openings = false }

// Checkpoint writes an older checkpoint; sizes ascend. They narrow down where a log was changed.
func (w *Writer) Checkpoint(signed []byte) error {
	c, err := peekCheckpoint(signed)
	if err != nil {
		return err
	}
	if err := w.enter(phaseCheckpoints, ""); err != nil {
		return err
	}
	return w.put(dirCheckpoints+"/"+olderName(c.Size), signed)
}

// Timestamp writes a time stamp of the checkpoint of a size, the last one included: a DER TimeStampToken over SHA-256 of its
// text.
func (w *Writer) Timestamp(t TimestampFile, token []byte) error {
	if !anchorNameOK(t.Anchor) {
		return malformed("timestamp", "not the name of an anchor")
	}
	if len(token) > MaxToken {
		return tooLarge("timestamp", len(token), MaxToken)
	}
	if err := w.enter(phaseTimestamps, ""); err != nil {
		return err
	}
	return w.put(t.Path(), token)
}

// Size returns the number of entries appended.
func (w *Writer) Size() uint64 { return w.size }

// Close writes what is left: the key history, log.json and, last, the checkpoint, whose size should be the number of
// entries appended. It does not close the Files.
func (w *Writer) Close(checkpoint []byte, keys *KeyHistory) error {
	if err := w.enter(phaseClosed, ""); err != nil {
		return err
	}
	text, err := keys.Marshal()
	if err != nil {
		return err
	}
	if err := w.put(fileKeys, text); err != nil {
		return err
	}
	text, err = json.MarshalIndent(logFile{
		Format: exportFormat, Origin: w.info.Origin, Log: hex.EncodeToString(w.logID[:]),
		Exporter: w.info.Exporter, ExportedAt: Timestamp(w.info.ExportedAt), Openings: w.info.Openings,
	}, "", "  ")
	if err != nil {
		return fmt.Errorf("verify: export: %w", err)
	}
	if err := w.put(fileLog, append(text, '\n')); err != nil {
		return err
	}
	return w.put(fileCheckpoint, checkpoint)
}
