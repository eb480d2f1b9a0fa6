//go:build goexperiment.runtimesecret && linux && (amd64 || arm64)

package vault

import "runtime/secret"

const erases = true

// erased runs f and erases what it leaves on the stack, in registers and, once collected, on the heap.
func erased(f func()) { secret.Do(f) }
