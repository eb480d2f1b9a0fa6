package authn

import "log/slog"

// redacted is what secrets print as.
const redacted = "[redacted]"

// String implements [fmt.Stringer] without the content.
func (PasswordRequest) String() string { return redacted }

// GoString implements [fmt.GoStringer] without the content.
func (PasswordRequest) GoString() string { return redacted }

// LogValue implements [slog.LogValuer] without the content.
func (PasswordRequest) LogValue() slog.Value { return slog.StringValue(redacted) }

// MarshalText implements [encoding.TextMarshaler] without the content; encoders of logs use it.
func (PasswordRequest) MarshalText() ([]byte, error) { return []byte(redacted), nil }

// String implements [fmt.Stringer] without the content.
func (CodeRequest) String() string { return redacted }

// GoString implements [fmt.GoStringer] without the content.
func (CodeRequest) GoString() string { return redacted }

// LogValue implements [slog.LogValuer] without the content.
func (CodeRequest) LogValue() slog.Value { return slog.StringValue(redacted) }

// MarshalText implements [encoding.TextMarshaler] without the content; encoders of logs use it.
func (CodeRequest) MarshalText() ([]byte, error) { return []byte(redacted), nil }

// String implements [fmt.Stringer] without the content.
func (TOTPOffer) String() string { return redacted }

// GoString implements [fmt.GoStringer] without the content.
func (TOTPOffer) GoString() string { return redacted }

// LogValue implements [slog.LogValuer] without the content.
func (TOTPOffer) LogValue() slog.Value { return slog.StringValue(redacted) }

// MarshalText implements [encoding.TextMarshaler] without the content; encoders of logs use it.
func (TOTPOffer) MarshalText() ([]byte, error) { return []byte(redacted), nil }

// String implements [fmt.Stringer] without the content.
func (Bearer) String() string { return redacted }

// GoString implements [fmt.GoStringer] without the content.
func (Bearer) GoString() string { return redacted }

// LogValue implements [slog.LogValuer] without the content.
func (Bearer) LogValue() slog.Value { return slog.StringValue(redacted) }

// MarshalText implements [encoding.TextMarshaler] without the content; encoders of logs use it.
func (Bearer) MarshalText() ([]byte, error) { return []byte(redacted), nil }
