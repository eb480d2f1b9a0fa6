package collect

import (
	"cmp"
	"context"
	"fmt"
	"runtime"
	"slices"

	"github.com/shirou/gopsutil/v4/disk"

	"github.com/pioneerdesk/tomkit/heartbeat"
)

// skipped lists file systems that are not asked: those whose server may be gone, which could block for ever, and images
// and media that are always full.
var skipped = []string{
	"nfs", "nfs4", "cifs", "smb3", "smbfs", "afs", "ceph", "9p", "autofs", "webdav", "afpfs", "fuse.sshfs",
	"squashfs", "iso9660", "udf", "cd9660", "CDFS",
}

// disks returns the local file systems, the largest heartbeat.MaxDisks of them, ordered by mount point.
func disks(ctx context.Context) ([]heartbeat.Disk, error) {
	parts, err := disk.PartitionsWithContext(ctx, false)
	if err != nil && len(parts) == 0 {
		return nil, fmt.Errorf("collect: sample: file systems: %w", err)
	}
	seen := map[string]bool{}
	var out []heartbeat.Disk
	for _, p := range parts {
		if seen[p.Device] || slices.Contains(skipped, p.Fstype) {
			continue
		}
		if d, ok := usage(ctx, p.Mountpoint); ok {
			seen[p.Device] = true
			out = append(out, d)
		}
	}
	if len(out) == 0 && runtime.GOOS != "windows" { // a container, whose root has no device
		if d, ok := usage(ctx, "/"); ok {
			out = append(out, d)
		}
	}
	return choose(out), ctx.Err()
}

// usage returns the file system mounted at mount, or false for one that cannot be read or has no size.
func usage(ctx context.Context, mount string) (heartbeat.Disk, bool) {
	u, err := disk.UsageWithContext(ctx, mount)
	name := heartbeat.Clip(mount, heartbeat.MaxMount)
	if err != nil || u.Used+u.Free == 0 || name == "" {
		return heartbeat.Disk{}, false
	}
	// As df does: what the system reserves is neither used nor there to be used, so full means that nothing can be written.
	used := bounded(u.Used)
	return heartbeat.Disk{Mount: name, Total: bounded(used + bounded(u.Free)), Used: used}, true
}

// choose keeps each mount once and the largest file systems.
func choose(all []heartbeat.Disk) []heartbeat.Disk {
	slices.SortStableFunc(all, func(a, b heartbeat.Disk) int { return cmp.Compare(a.Mount, b.Mount) })
	all = slices.CompactFunc(all, func(a, b heartbeat.Disk) bool { return a.Mount == b.Mount })
	if len(all) <= heartbeat.MaxDisks {
		return all
	}
	slices.SortStableFunc(all, func(a, b heartbeat.Disk) int { return cmp.Compare(b.Total, a.Total) })
	all = all[:heartbeat.MaxDisks]
	slices.SortStableFunc(all, func(a, b heartbeat.Disk) int { return cmp.Compare(a.Mount, b.Mount) })
	return all
}
