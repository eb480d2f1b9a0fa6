package seal

import (
	"bufio"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// A sealed stream is
//
//	magic(8) ‖ length of key id(1) ‖ key id ‖ salt(32) ‖ chunk ‖ chunk ‖ … ‖ last chunk
//
// with a key of its own, HKDF-SHA-256(key, salt, "tomkit/seal/stream/v1" ‖ 0x00 ‖ SHA-256(aad)). A chunk is AES-256-GCM over
// 65,536 bytes of plaintext; its nonce is the chunk's number in 11 bytes, big endian, and 1 for the last chunk, else 0. The
// last one is shorter or as long, and empty only if the whole stream is. This is the STREAM construction of Hoang, Reyhanitabar,
// Rogaway and Vizár (2015): chunks cannot be cut off, exchanged, repeated or appended.
const (
	streamMagic = "tkseal1\n"
	streamInfo  = "tomkit/seal/stream/v1\x00"
	saltSize    = 32
	chunkSize   = 64 << 10
	tagSize     = 16
)

// ErrStream says that a stream is not one that SealStream wrote to its end with this key and associated data.
var ErrStream = errors.New("seal: stream: refused")

// SealStream returns a writer that seals what is written to it, of any length, into dst: for backups and other data larger
// than MaxPlaintext. Close ends the stream and must be called; without it the stream is refused as cut off. Close does not
// close dst. The writer is not safe for concurrent use and keeps one chunk of 64 KiB in memory.
func (r *Ring) SealStream(dst io.Writer, aad []byte) (io.WriteCloser, error) {
	if len(aad) == 0 {
		return nil, ErrAAD
	}
	salt := make([]byte, saltSize)
	if _, err := rand.Read(salt); err != nil {
		return nil, err
	}
	k, _ := r.key(r.active)
	aead, err := streamCipher(k, salt, aad)
	if err != nil {
		return nil, err
	}
	header := append([]byte(streamMagic), byte(len(r.active)))
	header = append(append(header, r.active...), salt...)
	if _, err := dst.Write(header); err != nil {
		return nil, fmt.Errorf("seal: stream: %w", err)
	}
	return &streamWriter{dst: dst, aead: aead, plain: make([]byte, 0, chunkSize)}, nil
}

// OpenStream returns a reader of what SealStream sealed with the same aad and a key of the ring. Each chunk is checked before
// its bytes are returned; that the stream is complete is known only when Read returns io.EOF, so act on the whole or on
// nothing. Errors are ErrStream, ErrKeyID, ErrAAD and those of src. The reader is not safe for concurrent use.
func (r *Ring) OpenStream(src io.Reader, aad []byte) (io.Reader, error) {
	if len(aad) == 0 {
		return nil, ErrAAD
	}
	in := bufio.NewReaderSize(src, chunkSize+tagSize)
	kid, salt, err := readStreamHeader(in)
	if err != nil {
		return nil, err
	}
	k, ok := r.key(kid)
	if !ok {
		return nil, ErrKeyID
	}
	aead, err := streamCipher(k, salt, aad)
	if err != nil {
		return nil, err
	}
	return &streamReader{src: in, aead: aead, sealed: make([]byte, chunkSize+tagSize)}, nil
}

func streamCipher(k key, salt, aad []byte) (cipher.AEAD, error) {
	sum := sha256.Sum256(aad)
	derived, err := hkdf.Key(sha256.New, k.secret, salt, streamInfo+string(sum[:]), KeySize)
	if err != nil {
		return nil, fmt.Errorf("seal: stream: derive: %w", err)
	}
	defer clear(derived)
	block, err := aes.NewCipher(derived)
	if err != nil {
		return nil, fmt.Errorf("seal: stream: cipher: %w", err)
	}
	return cipher.NewGCM(block)
}

func readStreamHeader(in io.Reader) (kid string, salt []byte, err error) {
	var head [len(streamMagic) + 1]byte
	if _, err := io.ReadFull(in, head[:]); err != nil {
		return "", nil, cutOff(err)
	}
	n := int(head[len(streamMagic)])
	if string(head[:len(streamMagic)]) != streamMagic || n < 1 || n > maxKeyID {
		return "", nil, ErrStream
	}
	rest := make([]byte, n+saltSize)
	if _, err := io.ReadFull(in, rest); err != nil {
		return "", nil, cutOff(err)
	}
	if kid = string(rest[:n]); !validID(kid) {
		return "", nil, ErrStream
	}
	return kid, rest[n:], nil
}

// cutOff turns the end of the source into ErrStream and keeps its other errors.
func cutOff(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return ErrStream
	}
	return fmt.Errorf("seal: stream: %w", err)
}

// chunkNonce returns the nonce of a chunk. 2^64 chunks are more than there will ever be.
func chunkNonce(number uint64, last bool) []byte {
	nonce := make([]byte, 12)
	binary.BigEndian.PutUint64(nonce[3:11], number)
	if last {
		nonce[11] = 1
	}
	return nonce
}

type streamWriter struct {
	dst    io.Writer
	aead   cipher.AEAD
	number uint64
	plain  []byte // of the chunk being filled
	err    error
}

// Write seals a chunk when the next byte shows that it is not the last one.
func (w *streamWriter) Write(p []byte) (int, error) {
	done := 0
	for done < len(p) && w.err == nil {
		if len(w.plain) == chunkSize {
			w.flush(false)
			continue
		}
		n := min(len(p)-done, chunkSize-len(w.plain))
		w.plain = append(w.plain, p[done:done+n]...)
		done += n
	}
	return done, w.err
}

// Close seals the last chunk. The writer is unusable afterwards.
func (w *streamWriter) Close() error {
	if w.err != nil {
		return w.err
	}
	w.flush(true)
	if w.err != nil {
		return w.err
	}
	w.err = errors.New("seal: stream: closed")
	return nil
}

func (w *streamWriter) flush(last bool) {
	sealed := w.aead.Seal(nil, chunkNonce(w.number, last), w.plain, nil)
	clear(w.plain)
	w.plain, w.number = w.plain[:0], w.number+1
	if _, err := w.dst.Write(sealed); err != nil {
		w.err = fmt.Errorf("seal: stream: %w", err)
	}
}

type streamReader struct {
	src    *bufio.Reader
	aead   cipher.AEAD
	number uint64
	sealed []byte
	plain  []byte // of the current chunk, what is left
	err    error
}

func (r *streamReader) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	for len(r.plain) == 0 {
		if r.err != nil {
			return 0, r.err
		}
		r.next()
	}
	n := copy(p, r.plain)
	clear(r.plain[:n])
	r.plain = r.plain[n:]
	return n, nil
}

// next opens one chunk. It is the last one if the source ends behind it.
func (r *streamReader) next() {
	n, err := io.ReadFull(r.src, r.sealed)
	if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) {
		r.err = cutOff(err)
		return
	}
	_, err = r.src.Peek(1)
	if err != nil && !errors.Is(err, io.EOF) {
		r.err = cutOff(err)
		return
	}
	last := err != nil
	plain, err := r.aead.Open(r.sealed[:0], chunkNonce(r.number, last), r.sealed[:n], nil)
	if err != nil || len(plain) == 0 && r.number > 0 {
		r.err = ErrStream
		return
	}
	r.plain, r.number = plain, r.number+1
	if last {
		r.err = io.EOF
	}
}
