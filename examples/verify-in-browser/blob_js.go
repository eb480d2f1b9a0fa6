package main

import (
	"errors"
	"io"
	"syscall/js"
)

const (
	block  = 1 << 20 // bytes read from a file at a time
	blocks = 8       // kept
)

// blob is a file of the browser, read in blocks.
type blob struct {
	name  string
	size  int64
	value js.Value
	held  map[int64][]byte
	order []int64 // of held, the oldest first
}

func newBlob(file js.Value) *blob {
	return &blob{name: file.Get("name").String(), size: int64(file.Get("size").Float()), value: file, held: map[int64][]byte{}}
}

// ReadAt reads across blocks.
func (b *blob) ReadAt(p []byte, at int64) (n int, err error) {
	for n < len(p) {
		if at >= b.size {
			return n, io.EOF
		}
		data, err := b.block(at / block)
		if err != nil {
			return n, err
		}
		c := copy(p[n:], data[at%block:])
		n, at = n+c, at+int64(c)
	}
	return n, nil
}

func (b *blob) block(i int64) ([]byte, error) {
	if data, ok := b.held[i]; ok {
		return data, nil
	}
	end := min((i+1)*block, b.size)
	buffer, err := await(b.value.Call("slice", float64(i*block), float64(end)).Call("arrayBuffer"))
	if err != nil {
		return nil, err
	}
	data := make([]byte, end-i*block)
	if js.CopyBytesToGo(data, js.Global().Get("Uint8Array").New(buffer)) != len(data) {
		return nil, errors.New("the file was changed while it was read")
	}
	if len(b.order) == blocks {
		delete(b.held, b.order[0])
		b.order = b.order[1:]
	}
	b.held[i], b.order = data, append(b.order, i)
	return data, nil
}

// await waits for a promise.
func await(p js.Value) (js.Value, error) {
	type outcome struct {
		value js.Value
		err   error
	}
	done := make(chan outcome, 1)
	yes := js.FuncOf(func(_ js.Value, args []js.Value) any { done <- outcome{value: args[0]}; return nil })
	no := js.FuncOf(func(_ js.Value, args []js.Value) any {
		done <- outcome{err: errors.New("the file cannot be read: " + args[0].Call("toString").String())}
		return nil
	})
	defer yes.Release()
	defer no.Release()
	p.Call("then", yes, no)
	o := <-done
	return o.value, o.err
}

// promise runs work and settles a promise with its outcome.
func promise(work func() (any, error)) js.Value {
	var settle js.Func
	settle = js.FuncOf(func(_ js.Value, args []js.Value) any {
		resolve, reject := args[0], args[1]
		go func() {
			defer settle.Release()
			v, err := work()
			if err != nil {
				reject.Invoke(js.Global().Get("Error").New(err.Error()))
				return
			}
			resolve.Invoke(v)
		}()
		return nil
	})
	return js.Global().Get("Promise").New(settle)
}
