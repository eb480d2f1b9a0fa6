package collect

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"strings"
)

// machineID reads machine-id(5), and not the firmware's id, which only root may read: agents of different users on one
// machine shall agree.
func machineID(context.Context) (string, error) {
	for _, path := range []string{"/etc/machine-id", "/var/lib/dbus/machine-id"} {
		b, err := os.ReadFile(path)
		if id := strings.TrimSpace(string(b)); err == nil && len(id) == 32 {
			return id, nil
		}
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return "", err
		}
	}
	return "", nil
}
