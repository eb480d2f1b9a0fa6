package vault

import "unsafe"

// Address returns where the bytes of s lie.
func Address(s Secret) uintptr { return uintptr(unsafe.Pointer(unsafe.SliceData(s.cell().bytes))) }
