package journal

// The line's form, without a file around it.
var (
	Encode = encode
	Decode = decode
)
