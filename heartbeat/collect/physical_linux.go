package collect

import (
	"os"
	"path/filepath"
)

// physical reports whether the interface belongs to a device, also a virtual machine's, and not to a bridge, tunnel or
// container.
func physical(name string) bool {
	_, err := os.Stat(filepath.Join("/sys/class/net", filepath.Base(name), "device"))
	return err == nil
}
