//go:build !js

package main

import "fmt"

func main() {
	fmt.Println("This program runs in a browser. Make its page with: go run ./examples/verify-in-browser/build")
}
