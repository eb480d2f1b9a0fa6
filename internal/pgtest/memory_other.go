//go:build !linux

package pgtest

// memoryDir is empty: there is no agreed place for files in memory here.
func memoryDir() string { return "" }
