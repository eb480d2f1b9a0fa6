package demo

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"time"

	"github.com/pioneerdesk/tomkit/authn/session"
	"github.com/pioneerdesk/tomkit/authn/totp"
)

// maxAnswer bounds what the client reads; exports are the largest answers.
const maxAnswer = 64 << 20

// browser is a client with cookies, as a person would have.
type browser struct {
	http *http.Client
	base string
}

// answer is what the server said.
type answer struct {
	Status int
	Code   string // of a problem
	Body   []byte
}

func newBrowser(base string, roots *x509.CertPool) (*browser, error) {
	jar, err := cookiejar.New(nil)
	if err != nil {
		return nil, err
	}
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}, ForceAttemptHTTP2: true}
	return &browser{base: base, http: &http.Client{Jar: jar, Transport: transport, Timeout: 30 * time.Second}}, nil
}

// call sends body as JSON, nil for none, and reads the answer. Headers replace what the browser would send.
func (b *browser) call(ctx context.Context, method, path string, body any, header ...string) (answer, error) {
	var reader io.Reader
	if body != nil {
		text, err := json.Marshal(body)
		if err != nil {
			return answer{}, err
		}
		reader = bytes.NewReader(text)
	}
	req, err := http.NewRequestWithContext(ctx, method, b.base+path, reader)
	if err != nil {
		return answer{}, err
	}
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i+1 < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	resp, err := b.http.Do(req)
	if err != nil {
		return answer{}, fmt.Errorf("%s %s: %w", method, path, err)
	}
	defer resp.Body.Close()
	content, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if err != nil {
		return answer{}, fmt.Errorf("%s %s: %w", method, path, err)
	}
	a := answer{Status: resp.StatusCode, Body: content}
	var problem struct {
		Code string `json:"code"`
	}
	if resp.StatusCode >= 400 && json.Unmarshal(content, &problem) == nil {
		a.Code = problem.Code
	}
	return a, nil
}

// get is call for a GET whose JSON answer goes into out.
func (b *browser) get(ctx context.Context, path string, out any) error {
	a, err := b.call(ctx, http.MethodGet, path, nil)
	if err != nil {
		return err
	}
	if a.Status != http.StatusOK {
		return fmt.Errorf("GET %s: %s", path, a)
	}
	return json.Unmarshal(a.Body, out)
}

// String is the answer in short: status and code.
func (a answer) String() string {
	if a.Code != "" {
		return fmt.Sprintf("%d %s", a.Status, a.Code)
	}
	return fmt.Sprintf("%d %s", a.Status, http.StatusText(a.Status))
}

// token is the access token the browser holds, which no script in a page could read.
func (b *browser) token() string {
	u, err := url.Parse(b.base)
	if err != nil {
		return ""
	}
	for _, c := range b.http.Jar.Cookies(u) {
		if c.Name == session.CookieName {
			return c.Value
		}
	}
	return ""
}

// person signs in with what people have: a password and an authenticator app.
type person struct {
	tenant, email, password string
	role                    string
	secret                  []byte // TOTP
}

// stepToken does the first step.
func (b *browser) stepToken(ctx context.Context, p *person) (string, error) {
	a, err := b.call(ctx, http.MethodPost, "/v1/auth/password", map[string]any{"tenant": p.tenant, "email": p.email, "password": p.password})
	if err != nil {
		return "", err
	}
	var state struct {
		State     string `json:"state"`
		StepToken string `json:"step_token"`
	}
	if a.Status != http.StatusOK || json.Unmarshal(a.Body, &state) != nil || state.State != "challenge" {
		return "", fmt.Errorf("first step: %s", a)
	}
	return state.StepToken, nil
}

func (b *browser) code(ctx context.Context, step, code string) (answer, error) {
	return b.call(ctx, http.MethodPost, "/v1/auth/totp", map[string]any{"step_token": step, "code": code})
}

// signIn does both steps and returns the step token and the code it used up.
func (b *browser) signIn(ctx context.Context, p *person, now time.Time) (step, code string, err error) {
	if step, err = b.stepToken(ctx, p); err != nil {
		return "", "", err
	}
	app, err := totp.New(totp.Config{})
	if err != nil {
		return "", "", err
	}
	if code, err = app.Code(p.secret, now); err != nil {
		return "", "", err
	}
	a, err := b.code(ctx, step, code)
	if err == nil && a.Status != http.StatusOK {
		err = fmt.Errorf("second step: %s", a)
	}
	return step, code, err
}
