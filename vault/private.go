package vault

import "errors"

var (
	// ErrPermissions says that a file is not a regular file of this user, or of root, with mode 0600 or stricter.
	ErrPermissions = errors.New("vault: private file: must be a regular file of this user with mode 0600")
	// ErrTooLarge says that a file is longer than what is in it can be.
	ErrTooLarge = errors.New("vault: private file: too large")
)

// ReadPrivateFile reads a file of at most limit bytes that nobody but this user or root can have read or written; service
// managers hand files to a service that root owns. Symbolic links are refused with ErrPermissions. All checks are made on
// the open file, so that it cannot be exchanged in between. The caller zeroes the bytes after use. On systems other than Unix
// modes and owners do not say who may read, and every file is refused.
func ReadPrivateFile(path string, limit int64) ([]byte, error) { return readPrivate(path, limit) }
