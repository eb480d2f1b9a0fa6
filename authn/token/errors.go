package token

// invalid is an error about one token. All of them match ErrInvalid, and none says what the token contained.
type invalid string

func (e invalid) Error() string        { return string(e) }
func (e invalid) Is(target error) bool { return target == error(ErrInvalid) }

// Reasons to refuse a token. They are for logs and tests; clients get the same answer for each.
const (
	// ErrInvalid is matched by every error of Verify.
	ErrInvalid = invalid("token: verify: invalid")
	// ErrTooLarge says that the token exceeds the size limit, unread; from Issue, that it would.
	ErrTooLarge = invalid("token: too large")
	// ErrHeader says that the header is not that of a current key: wrong or unknown alg, kid or typ, or no token at all.
	ErrHeader = invalid("token: verify: header of no current key")
	// ErrMalformed says that the three segments are not in their strict form.
	ErrMalformed = invalid("token: verify: malformed")
	// ErrSignature says that the signature does not belong to this header and payload.
	ErrSignature = invalid("token: verify: wrong signature")
	// ErrClaims says that a signed payload is not in the profile's form, or a claim is missing or makes no sense; from
	// Issue, that a claim cannot be expressed.
	ErrClaims = invalid("token: claims outside the profile")
	// ErrIssuer says that the token was issued by somebody else.
	ErrIssuer = invalid("token: verify: wrong issuer")
	// ErrAudience says that the token is for somebody else.
	ErrAudience = invalid("token: verify: wrong audience")
	// ErrExpired says that the token's time is over.
	ErrExpired = invalid("token: verify: expired")
	// ErrNotYetValid says that the token's nbf or iat lies in the future.
	ErrNotYetValid = invalid("token: verify: not yet valid")
	// ErrLifetime says that the token was issued for longer than MaxTTL.
	ErrLifetime = invalid("token: verify: lifetime over 15 minutes")
)
