package server

import (
	"context"
	"net/http"
	"reflect"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/google/uuid"

	"github.com/pioneerdesk/tomkit/authn/credential"
	"github.com/pioneerdesk/tomkit/heartbeat"
	"github.com/pioneerdesk/tomkit/internal/server/fleet"
)

// nextBeat is the pause the server asks of a device between two heartbeats.
const nextBeat = time.Minute

func (a *api) devices() {
	tags := []string{"devices"}
	protected(a, huma.Operation{OperationID: "list-devices", Method: http.MethodGet, Path: "/v1/devices", Summary: "Enrolled devices and whether they are online", Tags: tags}, "devices:read", a.listDevices)
	protected(a, huma.Operation{OperationID: "create-enrol-token", Method: http.MethodPost, Path: "/v1/devices/enrolments", Summary: "Make a one-time enrolment token", DefaultStatus: http.StatusCreated, Tags: tags}, "devices:write", a.createEnrolToken)
	protected(a, huma.Operation{OperationID: "remove-device", Method: http.MethodDelete, Path: "/v1/devices/{id}", Summary: "Remove a device; its credential stops working at once", DefaultStatus: http.StatusNoContent, Tags: tags}, "devices:delete", a.removeDevice)
	public(a, rawBody[heartbeat.EnrolRequest](a, huma.Operation{OperationID: "enrol", Method: http.MethodPost, Path: "/v1/enrol", Summary: "Enrol a device", DefaultStatus: http.StatusCreated, Tags: tags}), "proves itself with the one-time token in its body", a.enrol)
	public(a, rawBody[heartbeat.Sample](a, huma.Operation{OperationID: "heartbeat", Method: http.MethodPost, Path: "/v1/heartbeats", Summary: "Accept a heartbeat; answered after it is committed", DefaultStatus: http.StatusAccepted, Tags: tags}), "proves itself with the device's credential", a.heartbeat)
}

// rawBody describes a JSON body of type T that the operation reads itself: heartbeat's readers are stricter than huma's, duplicate and
// unknown names included.
func rawBody[T any](a *api, op huma.Operation) huma.Operation {
	schema := a.huma.OpenAPI().Components.Schemas.Schema(reflect.TypeFor[T](), true, "")
	op.RequestBody = &huma.RequestBody{Required: true, Content: map[string]*huma.MediaType{"application/json": {Schema: schema}}}
	op.SkipValidateBody = true
	return op
}

type device struct {
	ID         uuid.UUID  `json:"id"`
	Name       string     `json:"name"`
	OS         string     `json:"os"`
	Arch       string     `json:"arch"`
	EnrolledAt time.Time  `json:"enrolled_at"`
	LastSeen   *time.Time `json:"last_seen,omitempty"`
	Online     bool       `json:"online" doc:"Last heartbeat less than 5 minutes ago, by the server's clock"`
}

type listDevicesInput struct {
	After uuid.UUID `query:"after" doc:"Id of the last device of the page before"`
	Limit int       `query:"limit" minimum:"1" maximum:"1000" default:"100"`
}

type listDevicesOutput struct {
	Body struct {
		Devices []device `json:"devices"`
	}
}

func (a *api) listDevices(ctx context.Context, in *listDevicesInput) (*listDevicesOutput, error) {
	s, err := a.session(ctx)
	if err != nil {
		return nil, err
	}
	list, err := a.fleet.List(ctx, s.Tenant(), in.After, in.Limit)
	if err != nil {
		return nil, a.fault(ctx, err)
	}
	out := &listDevicesOutput{}
	out.Body.Devices = make([]device, len(list))
	for i, d := range list {
		out.Body.Devices[i] = device{
			ID: d.ID, Name: d.Name, OS: d.OS, Arch: d.Arch, EnrolledAt: d.EnrolledAt, LastSeen: d.LastSeen,
			Online: d.LastSeen != nil && heartbeat.Online(*d.LastSeen, a.now()),
		}
	}
	return out, nil
}

type enrolTokenOutput struct {
	Body struct {
		Token     string    `json:"token" doc:"Shown once"`
		ExpiresAt time.Time `json:"expires_at"`
	}
}

func (a *api) createEnrolToken(ctx context.Context, _ *struct{}) (*enrolTokenOutput, error) {
	s, by, err := a.actor(ctx)
	if err != nil {
		return nil, err
	}
	token, expires, err := a.fleet.CreateToken(ctx, s.Tenant(), by)
	if err != nil {
		return nil, a.fault(ctx, err)
	}
	out := &enrolTokenOutput{}
	out.Body.Token, out.Body.ExpiresAt = token.Reveal(), expires
	return out, nil
}

type removeDeviceInput struct {
	ID uuid.UUID `path:"id"`
}

func (a *api) removeDevice(ctx context.Context, in *removeDeviceInput) (*struct{}, error) {
	s, by, err := a.actor(ctx)
	if err != nil {
		return nil, err
	}
	if err := a.fleet.Remove(ctx, s.Tenant(), in.ID, by); err != nil {
		return nil, a.fault(ctx, err)
	}
	return nil, nil
}

type enrolInput struct {
	RawBody []byte `contentType:"application/json"`
}

type enrolOutput struct {
	Body heartbeat.EnrolResponse
}

func (a *api) enrol(ctx context.Context, in *enrolInput) (*enrolOutput, error) {
	request, err := heartbeat.ParseEnrolRequest(in.RawBody)
	if err != nil {
		return nil, a.fault(ctx, err)
	}
	token, err := credential.Parse(credential.Enrol, request.Token.Reveal())
	if err != nil {
		return nil, a.fault(ctx, fleet.ErrCredential)
	}
	id, cred, err := a.fleet.Enrol(ctx, token, fleet.Facts{Name: request.Name, OS: request.OS, Arch: request.Arch, MachineID: request.MachineID})
	if err != nil {
		return nil, a.fault(ctx, err)
	}
	return &enrolOutput{Body: heartbeat.EnrolResponse{Tenant: token.Tenant(), Device: id, Credential: heartbeat.Token(cred.Reveal())}}, nil
}

type heartbeatInput struct {
	Authorization string `header:"Authorization"`
	RawBody       []byte `contentType:"application/json"`
}

type heartbeatOutput struct {
	Body heartbeat.Accepted
}

func (a *api) heartbeat(ctx context.Context, in *heartbeatInput) (*heartbeatOutput, error) {
	received := a.now().UTC().Truncate(time.Microsecond)
	cred, err := deviceCredential(in.Authorization)
	if err != nil {
		return nil, a.fault(ctx, err)
	}
	id, err := a.fleet.Authenticate(ctx, cred)
	if err != nil {
		return nil, a.fault(ctx, err)
	}
	sample, err := heartbeat.ParseSample(in.RawBody)
	if err != nil {
		return nil, a.fault(ctx, err)
	}
	if err := a.beats.Accept(ctx, heartbeat.Beat{Tenant: cred.Tenant(), Device: id, ReceivedAt: received, Sample: sample}); err != nil {
		return nil, a.fault(ctx, err)
	}
	return &heartbeatOutput{Body: heartbeat.Accepted{Accepted: true, NextSeconds: int(nextBeat / time.Second)}}, nil
}

func deviceCredential(header string) (credential.Credential, error) {
	const scheme = "Bearer "
	if len(header) <= len(scheme) || header[:len(scheme)] != scheme {
		return credential.Credential{}, fleet.ErrCredential
	}
	cred, err := credential.Parse(credential.Device, header[len(scheme):])
	if err != nil {
		return credential.Credential{}, fleet.ErrCredential
	}
	return cred, nil
}
