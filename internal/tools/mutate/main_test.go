package main

import (
	"maps"
	"os"
	"path/filepath"
	"testing"
)

func TestARemarkIsNoMutant(t *testing.T) {
	path := filepath.Join(t.TempDir(), "mutants.txt")
	text := "# Judged by hand: \"name # why\".\n\na.go f: x -> y # the same\nno reason\n"
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	known, err := readKnown(path)
	if err != nil {
		t.Fatal(err)
	}
	if want := map[string]string{"a.go f: x -> y": "the same"}; !maps.Equal(known, want) {
		t.Fatalf("%v, want %v", known, want)
	}
}
