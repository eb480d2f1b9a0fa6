// Command build makes the page of verify-in-browser: one HTML file with the verifier in it.
//
//	go run ./examples/verify-in-browser/build -o verify.html
package main

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"flag"
	"fmt"
	"io/fs"
	"log"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"text/template"
)

const source = "github.com/pioneerdesk/tomkit/examples/verify-in-browser"

func main() {
	out := flag.String("o", "verify-in-browser.html", "file to write")
	flag.Parse()
	page, err := build(context.Background())
	if err == nil {
		err = os.WriteFile(*out, page, 0o644)
	}
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%s: %d KiB\n", *out, len(page)>>10)
}

// build compiles the verifier and makes the page.
func build(ctx context.Context) ([]byte, error) {
	dir, err := output(ctx, "list", "-f", "{{.Dir}}", source)
	if err != nil {
		return nil, err
	}
	root, err := output(ctx, "env", "GOROOT")
	if err != nil {
		return nil, err
	}
	temp, err := os.MkdirTemp("", "verify-in-browser")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(temp)
	file := filepath.Join(temp, "verify.wasm")
	if _, err := output(ctx, "build", "-trimpath", "-ldflags=-s -w", "-o", file, source); err != nil {
		return nil, err
	}
	wasm, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	glue, err := os.ReadFile(filepath.Join(root, "lib", "wasm", "wasm_exec.js")) // of the compiler that made the program
	if err != nil {
		return nil, err
	}
	return assemble(os.DirFS(dir), wasm, glue)
}

// output runs the go command for the browser.
func output(ctx context.Context, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, "go", args...)
	cmd.Env = append(os.Environ(), "GOOS=js", "GOARCH=wasm")
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	b, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("go %s: %w: %s", args[0], err, strings.TrimSpace(stderr.String()))
	}
	return strings.TrimSpace(string(b)), nil
}

// assemble puts everything into one page, whose policy allows exactly these scripts and this style.
func assemble(files fs.FS, wasm, glue []byte) ([]byte, error) {
	text := map[string]string{}
	for _, name := range []string{"index.html", "style.css", "app.js"} {
		b, err := fs.ReadFile(files, name)
		if err != nil {
			return nil, err
		}
		text[name] = string(b)
	}
	var packed bytes.Buffer
	z, err := gzip.NewWriterLevel(&packed, gzip.BestCompression)
	if err != nil {
		return nil, err
	}
	if _, err := z.Write(wasm); err != nil {
		return nil, err
	}
	if err := z.Close(); err != nil {
		return nil, err
	}
	if strings.Contains(string(glue)+text["app.js"], "</script") || strings.Contains(text["style.css"], "</style") {
		return nil, fmt.Errorf("a script or the style would end early")
	}
	t, err := template.New("page").Parse(text["index.html"])
	if err != nil {
		return nil, err
	}
	var page bytes.Buffer
	err = t.Execute(&page, map[string]string{
		"Style": text["style.css"], "Exec": string(glue), "App": text["app.js"], "Wasm": base64.StdEncoding.EncodeToString(packed.Bytes()),
		"Policy": "default-src 'none'; script-src " + hash(string(glue)) + " " + hash(text["app.js"]) + " 'wasm-unsafe-eval'; style-src " +
			hash(text["style.css"]) + "; base-uri 'none'; form-action 'none'",
	})
	return page.Bytes(), err
}

// hash is the source expression that allows an inline script or style.
func hash(text string) string {
	sum := sha256.Sum256([]byte(text))
	return "'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"
}
