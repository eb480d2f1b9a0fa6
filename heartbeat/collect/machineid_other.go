//go:build !linux

package collect

import (
	"context"

	"github.com/shirou/gopsutil/v4/host"
)

// machineID is the MachineGuid of Windows and the platform UUID of macOS.
func machineID(ctx context.Context) (string, error) { return host.HostIDWithContext(ctx) }
