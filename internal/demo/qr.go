package demo

import (
	"fmt"
	"image/color"
	"io"
	"strings"

	"github.com/boombuler/barcode/qr"
)

// printQR draws text as a QR code with half blocks, dark on light, with the quiet zone of four modules that readers need.
func printQR(out io.Writer, text string) error {
	code, err := qr.Encode(text, qr.L, qr.Auto)
	if err != nil {
		return fmt.Errorf("demo: draw code: %w", err)
	}
	const quiet = 4
	size := code.Bounds().Dx()
	dark := func(x, y int) bool {
		if x < 0 || y < 0 || x >= size || y >= size {
			return false
		}
		return color.GrayModel.Convert(code.At(x, y)).(color.Gray).Y < 128
	}
	var b strings.Builder
	for y := -quiet; y < size+quiet; y += 2 {
		b.WriteString("         ")
		for x := -quiet; x < size+quiet; x++ {
			b.WriteString(halfBlock(dark(x, y), dark(x, y+1)))
		}
		b.WriteByte('\n')
	}
	_, err = io.WriteString(out, b.String())
	return err
}

// halfBlock draws two modules above each other on a dark terminal: light modules are drawn, dark ones are the background.
func halfBlock(upper, lower bool) string {
	switch {
	case upper && lower:
		return " "
	case upper:
		return "▄"
	case lower:
		return "▀"
	}
	return "█"
}
