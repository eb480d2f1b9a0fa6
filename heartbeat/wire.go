package heartbeat

import (
	"encoding/json"
	"fmt"
	"reflect"
	"time"

	"github.com/google/uuid"
)

// Limits of the enrolment and answer documents.
const (
	MaxEnrolBytes  = 4 << 10 // JSON form of EnrolRequest, EnrolResponse and Accepted
	MaxName        = 128     // bytes of a device's name
	MaxNextSeconds = 86_400  // longest pause a server may ask for
)

var (
	sampleShape        = shapeOf("", reflect.TypeFor[Sample]())
	enrolRequestShape  = shapeOf("", reflect.TypeFor[EnrolRequest]())
	enrolResponseShape = shapeOf("", reflect.TypeFor[EnrolResponse]())
	acceptedShape      = shapeOf("", reflect.TypeFor[Accepted]())
)

// ParseSample reads the wire form of a sample, the body of POST /v1/heartbeats, and validates it. Every refusal is an
// [*InvalidError]. The device's clock is returned in UTC, truncated to microseconds.
func ParseSample(data []byte) (Sample, error) {
	var s Sample
	if err := decode("sample", data, MaxSampleBytes, sampleShape, &s); err != nil {
		return Sample{}, err
	}
	if err := s.Validate(); err != nil {
		return Sample{}, err
	}
	s.DeviceTime = micros(s.DeviceTime)
	return s, nil
}

// Encode returns the wire form of a valid sample, at most [MaxSampleBytes], or an [*InvalidError].
func (s Sample) Encode() ([]byte, error) {
	if err := s.Validate(); err != nil {
		return nil, err
	}
	s.DeviceTime = micros(s.DeviceTime)
	return encode(s)
}

// EnrolRequest is the body of POST /v1/enrol: a device asks to become one of the tenant's.
type EnrolRequest struct {
	Token Token  `json:"token"` // one-time token of kind enrol
	Name  string `json:"name"`  // host name, 1 to MaxName bytes
	OS    string `json:"os"`    // operating system family, 1 to MaxText bytes
	Arch  string `json:"arch"`  // processor architecture, 1 to MaxText bytes
	// MachineID is a hash of the machine's own id, 64 lower-case hex digits: it recognises a device that enrols again
	// without disclosing the id.
	MachineID string `json:"machine_id"`
}

// ParseEnrolRequest reads and validates a request. Every refusal is an [*InvalidError].
func ParseEnrolRequest(data []byte) (EnrolRequest, error) {
	var r EnrolRequest
	if err := decode("enrol", data, MaxEnrolBytes, enrolRequestShape, &r); err != nil {
		return EnrolRequest{}, err
	}
	if err := r.Validate(); err != nil {
		return EnrolRequest{}, err
	}
	return r, nil
}

// Validate reports the first field outside its limits as an [*InvalidError].
func (r EnrolRequest) Validate() error {
	return firstError(
		r.Token.Check(TokenEnrol),
		checkText("name", r.Name, 1, MaxName),
		checkText("os", r.OS, 1, MaxText),
		checkText("arch", r.Arch, 1, MaxText),
		checkHash("machine_id", r.MachineID),
	)
}

// Encode returns the wire form of a valid request, token included, or an [*InvalidError].
func (r EnrolRequest) Encode() ([]byte, error) {
	if err := r.Validate(); err != nil {
		return nil, err
	}
	return encode(r)
}

// EnrolResponse is the answer 201 to an [EnrolRequest]. Its JSON form carries the credential, which exists nowhere else.
type EnrolResponse struct {
	Tenant     uuid.UUID `json:"tenant"`
	Device     uuid.UUID `json:"device"`
	Credential Token     `json:"credential"` // token of kind device
}

// ParseEnrolResponse reads and validates a response. Every refusal is an [*InvalidError].
func ParseEnrolResponse(data []byte) (EnrolResponse, error) {
	var r EnrolResponse
	if err := decode("enrol", data, MaxEnrolBytes, enrolResponseShape, &r); err != nil {
		return EnrolResponse{}, err
	}
	if err := r.Validate(); err != nil {
		return EnrolResponse{}, err
	}
	return r, nil
}

// Validate reports the first missing or malformed field as an [*InvalidError].
func (r EnrolResponse) Validate() error {
	if r.Tenant == uuid.Nil {
		return invalid("tenant", "missing")
	}
	if r.Device == uuid.Nil {
		return invalid("device", "missing")
	}
	return r.Credential.Check(TokenDevice)
}

// Accepted is the answer 202 to a sample.
type Accepted struct {
	Accepted    bool `json:"accepted"`     // always true: refusals are problem documents
	NextSeconds int  `json:"next_seconds"` // pause the server asks for, 0 (agent's own choice) to MaxNextSeconds
}

// ParseAccepted reads and validates an answer. Every refusal is an [*InvalidError].
func ParseAccepted(data []byte) (Accepted, error) {
	var a Accepted
	if err := decode("answer", data, MaxEnrolBytes, acceptedShape, &a); err != nil {
		return Accepted{}, err
	}
	if !a.Accepted {
		return Accepted{}, invalid("accepted", "not true")
	}
	if a.NextSeconds < 0 || a.NextSeconds > MaxNextSeconds {
		return Accepted{}, invalid("next_seconds", "outside 0 to %d", MaxNextSeconds)
	}
	return a, nil
}

func checkHash(field, s string) error {
	if len(s) != 64 {
		return invalid(field, "not 64 hex digits")
	}
	for _, c := range []byte(s) {
		if (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return invalid(field, "not 64 hex digits")
		}
	}
	return nil
}

func encode(v any) ([]byte, error) {
	b, err := json.Marshal(v)
	if err != nil {
		return nil, fmt.Errorf("heartbeat: encode: %w", err)
	}
	return b, nil
}

func micros(t time.Time) time.Time { return t.UTC().Truncate(time.Microsecond) }
