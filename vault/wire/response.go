package wire

// Response is a complete answer.
type Response struct {
	Status int    // HTTP status
	Body   []byte // as it came; zeroed by Wipe
	*Object
	fail *Error
}

// Fail returns the Error that r stands for, by its status: for accepted statuses that turn out not to be acceptable.
// reason may be nil, and must not hold what the server sent.
func (r *Response) Fail(reason error) *Error {
	e := *r.fail
	e.Class, e.Reason = classOf(r.Status), reason
	return &e
}

// Malformed returns an Error of class ErrMalformed. reason must not hold what the server sent.
func (r *Response) Malformed(reason error) *Error {
	e := r.Fail(reason)
	e.Class = ErrMalformed
	return e
}

// Check returns an Error of class ErrMalformed if a field that was read so far is not what it must be.
func (r *Response) Check() error {
	if err := r.Object.Err(); err != nil {
		return r.Malformed(err)
	}
	return nil
}

// Wipe zeroes the body and everything that was decoded from it and not copied.
func (r *Response) Wipe() {
	clear(r.Body)
	if r.Object != nil {
		r.Object.wipe()
	}
}
