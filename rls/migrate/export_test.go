package migrate

// LockID and WorkLockID are lockID and workLockID.
const (
	LockID     = lockID
	WorkLockID = workLockID
)
