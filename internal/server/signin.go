package server

import (
	"context"
	"crypto/rand"
	"errors"
	"net/http"
	"net/netip"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/google/uuid"

	"github.com/pioneerdesk/tomkit/authn"
	"github.com/pioneerdesk/tomkit/authn/session"
	"github.com/pioneerdesk/tomkit/rls/tenant"
)

// browserCookie holds the nonce that ties a sign-in to the browser it began in.
const browserCookie = "__Host-tomkit-browser"

// Browser is what a sign-in request brings besides its body.
type Browser struct {
	Nonce     string `cookie:"__Host-tomkit-browser" maxLength:"64"`
	UserAgent string `header:"User-Agent" maxLength:"1024"`
}

func (b Browser) binding() authn.Binding { return authn.BindTo(b.Nonce, b.UserAgent) }

// signInState is where a sign-in stands: what comes next, and what to present then.
type signInState struct {
	State     string     `json:"state" enum:"challenge,enrolment,signed_in" doc:"challenge: send a code; enrolment: enrol a factor first; signed_in: done"`
	StepToken string     `json:"step_token,omitempty" doc:"Present it with the next step; 5 minutes, once, from this browser"`
	Factors   []string   `json:"factors,omitempty"`
	ExpiresAt *time.Time `json:"expires_at,omitempty"`
}

type signInOutput struct {
	SetCookie []http.Cookie `header:"Set-Cookie"`
	Body      signInState
}

type passwordInput struct {
	Browser
	host string
	Body struct {
		Tenant   string `json:"tenant,omitempty" minLength:"1" maxLength:"63" doc:"Slug of the tenant. Without one the host of the request names it." example:"klinikum"`
		Email    string `json:"email" minLength:"3" maxLength:"254"`
		Password string `json:"password" minLength:"1" maxLength:"1024"`
	}
}

// Resolve keeps the host of the request.
func (in *passwordInput) Resolve(ctx huma.Context) []error {
	in.host = ctx.Host()
	return nil
}

// tenant names the tenant of a sign-in.
func (in *passwordInput) tenant(ctx context.Context, q tenant.Querier) (uuid.UUID, error) {
	if in.Body.Tenant != "" {
		return tenant.BySlug(ctx, q, in.Body.Tenant)
	}
	return tenant.ByHost(ctx, q, in.host)
}

type codeInput struct {
	Browser
	Body struct {
		StepToken string `json:"step_token" minLength:"1" maxLength:"128"`
		Code      string `json:"code" minLength:"6" maxLength:"8" doc:"Code of the authenticator app"`
	}
}

type stepInput struct {
	Browser
	Body struct {
		StepToken string `json:"step_token" minLength:"1" maxLength:"128"`
	}
}

type totpOfferOutput struct {
	Body struct {
		Secret string `json:"secret" doc:"Base32 secret to type in"`
		URI    string `json:"uri" doc:"otpauth URI to show as a QR code"`
	}
}

func (a *api) signIn() {
	const why = "the way to a session"
	public(a, huma.Operation{OperationID: "sign-in-password", Method: http.MethodPost, Path: "/v1/auth/password", Summary: "First step: e-mail and password", Tags: []string{"sign-in"}}, why, a.password)
	public(a, huma.Operation{OperationID: "sign-in-totp", Method: http.MethodPost, Path: "/v1/auth/totp", Summary: "Second step: code of the authenticator app", Tags: []string{"sign-in"}}, why, a.totp)
	public(a, huma.Operation{OperationID: "enrol-totp-begin", Method: http.MethodPost, Path: "/v1/auth/totp/enrolment", Summary: "Offer a TOTP secret to a user who must enrol one", Tags: []string{"sign-in"}}, why, a.beginTOTP)
	public(a, huma.Operation{OperationID: "enrol-totp-confirm", Method: http.MethodPost, Path: "/v1/auth/totp/enrolment/confirm", Summary: "Confirm the enrolment with a first code", Tags: []string{"sign-in"}}, why, a.confirmTOTP)
	const own = "acts on the caller's own session, which the handler demands"
	public(a, huma.Operation{OperationID: "me", Method: http.MethodGet, Path: "/v1/me", Summary: "Who am I, and what may I do", Tags: []string{"session"}}, own, a.me)
	public(a, huma.Operation{OperationID: "renew", Method: http.MethodPost, Path: "/v1/auth/renew", Summary: "A new access token with what I may do now", Tags: []string{"session"}}, own, a.renew)
	public(a, huma.Operation{OperationID: "sign-out", Method: http.MethodPost, Path: "/v1/auth/sign-out", Summary: "End this session everywhere, at once", DefaultStatus: http.StatusNoContent, Tags: []string{"session"}}, own, a.signOut)
}

func (a *api) password(ctx context.Context, in *passwordInput) (*signInOutput, error) {
	out := &signInOutput{}
	if in.Nonce == "" {
		in.Nonce = rand.Text()
		out.SetCookie = append(out.SetCookie, http.Cookie{
			Name: browserCookie, Value: in.Nonce, Path: "/", Secure: true, HttpOnly: true, SameSite: http.SameSiteStrictMode,
		})
	}
	id, err := in.tenant(ctx, a.db.Anonymous())
	if errors.Is(err, tenant.ErrUnknown) {
		id = uuid.Nil // the flow does the same work and gives the same answer
	} else if err != nil {
		return nil, a.fault(ctx, err)
	}
	state, err := a.flow.Password(ctx, authn.PasswordRequest{
		Tenant: id, Email: in.Body.Email, Password: in.Body.Password, Binding: in.binding(), Address: clientAddr(ctx),
	})
	if err != nil {
		return nil, a.fault(ctx, err)
	}
	switch s := state.(type) {
	case *authn.Challenge:
		out.Body = signInState{State: "challenge", StepToken: s.StepToken.Reveal(), Factors: names(s.Factors), ExpiresAt: &s.ExpiresAt}
	case *authn.Enrolment:
		out.Body = signInState{State: "enrolment", StepToken: s.StepToken.Reveal(), Factors: names(s.Factors), ExpiresAt: &s.ExpiresAt}
	case *authn.Granted:
		granted(out, s)
	}
	return out, nil
}

func (a *api) totp(ctx context.Context, in *codeInput) (*signInOutput, error) {
	g, err := a.flow.TOTP(ctx, authn.CodeRequest{StepToken: in.Body.StepToken, Code: in.Body.Code, Binding: in.binding(), Address: clientAddr(ctx)})
	if err != nil {
		return nil, a.fault(ctx, err)
	}
	out := &signInOutput{}
	granted(out, g)
	return out, nil
}

func (a *api) beginTOTP(ctx context.Context, in *stepInput) (*totpOfferOutput, error) {
	offer, err := a.flow.BeginTOTP(ctx, in.Body.StepToken, in.binding())
	if err != nil {
		return nil, a.fault(ctx, err)
	}
	out := &totpOfferOutput{}
	out.Body.Secret, out.Body.URI = offer.Secret, offer.URI
	return out, nil
}

func (a *api) confirmTOTP(ctx context.Context, in *codeInput) (*signInOutput, error) {
	g, err := a.flow.ConfirmTOTP(ctx, authn.CodeRequest{StepToken: in.Body.StepToken, Code: in.Body.Code, Binding: in.binding(), Address: clientAddr(ctx)})
	if err != nil {
		return nil, a.fault(ctx, err)
	}
	out := &signInOutput{}
	granted(out, g)
	return out, nil
}

type meOutput struct {
	Body struct {
		User     uuid.UUID `json:"user"`
		Tenant   uuid.UUID `json:"tenant"`
		Session  uuid.UUID `json:"session"`
		Role     string    `json:"role"`
		Policies []string  `json:"policies"`
		Methods  []string  `json:"amr" doc:"How the user authenticated (RFC 8176)"`
		Expires  time.Time `json:"expires"`
	}
}

func (a *api) me(ctx context.Context, _ *struct{}) (*meOutput, error) {
	s, err := a.session(ctx)
	if err != nil {
		return nil, err
	}
	out := &meOutput{}
	b := &out.Body
	b.User, b.Tenant, b.Session, b.Role = s.User(), s.Tenant(), s.ID(), s.Role()
	b.Policies, b.Methods, b.Expires = s.Policies(), s.Methods(), s.Expires()
	return out, nil
}

// renew answers for a token that became too old for the policies in force, too: it is what such a client does next.
func (a *api) renew(ctx context.Context, in *struct{ Browser }) (*signInOutput, error) {
	s, err := a.session(ctx)
	if err != nil {
		return nil, err
	}
	g, err := a.flow.Renew(ctx, s.Tenant(), s.ID(), in.binding())
	if err != nil {
		return nil, a.fault(ctx, err)
	}
	out := &signInOutput{}
	granted(out, g)
	return out, nil
}

type signOutOutput struct {
	SetCookie []http.Cookie `header:"Set-Cookie"`
}

func (a *api) signOut(ctx context.Context, _ *struct{}) (*signOutOutput, error) {
	s, err := a.session(ctx)
	if err != nil {
		return nil, err
	}
	if err := a.flow.SignOut(ctx, s.Tenant(), s.ID()); err != nil {
		return nil, a.fault(ctx, err)
	}
	return &signOutOutput{SetCookie: []http.Cookie{session.ExpiredCookie()}}, nil
}

func granted(out *signInOutput, g *authn.Granted) {
	out.Body = signInState{State: "signed_in", ExpiresAt: &g.ExpiresAt}
	out.SetCookie = append(out.SetCookie, session.Cookie(string(g.Access)))
}

func names(factors []authn.Purpose) []string {
	list := make([]string, len(factors))
	for i, f := range factors {
		list[i] = string(f)
	}
	return list
}

type clientKey struct{}

// clientAddr is the address the request came from; the zero value if it is not an IP address.
func clientAddr(ctx context.Context) netip.Addr {
	addr, _ := ctx.Value(clientKey{}).(netip.Addr)
	return addr
}
