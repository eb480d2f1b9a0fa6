package migrate

// LockID is lockID.
const LockID = lockID
