package collect

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"runtime"

	"github.com/shirou/gopsutil/v4/host"

	"github.com/pioneerdesk/tomkit/heartbeat"
)

// system returns the operating system's names. What the system does not tell stays empty.
func system(ctx context.Context) (heartbeat.OS, error) {
	name, _, version, err := host.PlatformInformationWithContext(ctx)
	if err != nil {
		name, version = "", ""
	}
	kernel, err := host.KernelVersionWithContext(ctx)
	if err != nil {
		kernel = ""
	}
	if err := ctx.Err(); err != nil {
		return heartbeat.OS{}, err
	}
	return heartbeat.OS{
		Family:  runtime.GOOS,
		Name:    heartbeat.Clip(name, heartbeat.MaxText),
		Version: heartbeat.Clip(version, heartbeat.MaxText),
		Kernel:  heartbeat.Clip(kernel, heartbeat.MaxText),
		Arch:    runtime.GOARCH,
	}, nil
}

// machineIDTag separates this hash from other uses of the machine's id.
const machineIDTag = "tomkit/machine/v1"

// MachineID returns SHA-256(tag ‖ 0x00 ‖ machine id) as 64 hex digits: the same for each call on one installation of an
// operating system, and without use to whoever knows the id only in other contexts (machine-id(5) asks for such a hash).
// It fails where the system has no id.
func MachineID(ctx context.Context) (string, error) {
	id, err := machineID(ctx)
	if err != nil {
		return "", fmt.Errorf("collect: machine id: %w", err)
	}
	if id == "" {
		return "", errors.New("collect: machine id: the system has none")
	}
	sum := sha256.Sum256([]byte(machineIDTag + "\x00" + id))
	return hex.EncodeToString(sum[:]), nil
}
