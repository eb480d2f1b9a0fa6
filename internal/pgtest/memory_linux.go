package pgtest

import "golang.org/x/sys/unix"

// memoryDir is a file system in memory if there is one with room for several servers:
// a test database is a few hundred small files, made and removed again and again.
func memoryDir() string {
	const dir, room = "/dev/shm", 2 << 30
	var st unix.Statfs_t
	if unix.Statfs(dir, &st) != nil || st.Type != unix.TMPFS_MAGIC || int64(st.Bavail)*int64(st.Bsize) < room ||
		unix.Access(dir, unix.W_OK) != nil {
		return ""
	}
	return dir
}
