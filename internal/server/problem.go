package server

import (
	"context"
	"errors"
	"net/http"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"github.com/pioneerdesk/tomkit/heartbeat"
)

// problemType prefixes the type URI of every problem; the code completes it.
const problemType = "https://github.com/pioneerdesk/tomkit/blob/main/internal/server/PROBLEMS.md#"

// Problem is the body of every error answer (RFC 9457). It never carries values of the request, policies or database texts.
type Problem struct {
	Type      string       `json:"type" doc:"Stable URI of the problem type"`
	Title     string       `json:"title" doc:"Status text"`
	Status    int          `json:"status" doc:"HTTP status code"`
	Detail    string       `json:"detail,omitempty" doc:"What is wrong with this request"`
	Code      string       `json:"code" doc:"Stable reason code"`
	RequestID string       `json:"request_id,omitempty" doc:"Quote it when asking the operator"`
	Errors    []FieldError `json:"errors,omitempty" doc:"One line per field that was refused"`
}

// FieldError names a refused field and why, without repeating its value.
type FieldError struct {
	Location string `json:"location,omitempty"`
	Message  string `json:"message"`
}

// Error implements error.
func (p *Problem) Error() string { return "server: " + p.Code }

// GetStatus implements huma.StatusError.
func (p *Problem) GetStatus() int { return p.Status }

// ContentType implements huma.ContentTypeFilter.
func (p *Problem) ContentType(string) string { return "application/problem+json" }

func newProblem(status int, code, detail string) *Problem {
	return &Problem{Type: problemType + code, Title: http.StatusText(status), Status: status, Detail: detail, Code: code}
}

// fault maps an error of a room to what the client is told. It is the only place that does so; an error it does not know is a
// fault of ours, logged with the request id and answered without its text.
func (a *api) fault(ctx context.Context, err error) error {
	for _, known := range faults {
		if errors.Is(err, known.is) {
			p := newProblem(known.status, known.code, known.detail)
			var field *heartbeat.InvalidError
			if errors.As(err, &field) {
				p.Errors = []FieldError{{Location: "body." + field.Field, Message: field.Reason}}
			}
			if after := retryAfter(err); after > 0 {
				return huma.ErrorWithHeaders(p, http.Header{"Retry-After": {seconds(after)}})
			}
			return p
		}
	}
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return newProblem(http.StatusServiceUnavailable, "canceled", "The request was given up before it was finished.")
	}
	a.log.ErrorContext(ctx, "request failed", "request_id", requestID(ctx), "error", err.Error())
	if away(err) {
		return huma.ErrorWithHeaders(newProblem(http.StatusServiceUnavailable, "unavailable", "The database does not answer at the moment."), http.Header{"Retry-After": {"1"}})
	}
	return newProblem(http.StatusInternalServerError, "internal", failed)
}

// failed is all a client is told of a fault of ours.
const failed = "The server failed. Its operator finds the cause under the request id."

// problems is the huma transformer that turns huma's own errors into problems of ours and adds the request id to all.
func problems(ctx huma.Context, _ string, body any) (any, error) {
	switch e := body.(type) {
	case *Problem:
		p := *e
		p.RequestID = requestID(ctx.Context())
		return &p, nil
	case *huma.ErrorModel:
		p := newProblem(e.Status, humaCode(e.Status), e.Detail)
		p.RequestID = requestID(ctx.Context())
		for _, d := range e.Errors {
			// d.Value repeats the request, passwords included, and so may what stands behind a colon: both are left out.
			message, _, _ := strings.Cut(d.Message, ": ")
			p.Errors = append(p.Errors, FieldError{Location: d.Location, Message: message})
		}
		return p, nil
	}
	return body, nil
}

func humaCode(status int) string {
	switch status {
	case http.StatusRequestEntityTooLarge:
		return "too_large"
	case http.StatusUnsupportedMediaType, http.StatusNotAcceptable:
		return "media_type"
	case http.StatusUnprocessableEntity, http.StatusBadRequest:
		return "invalid"
	case http.StatusRequestTimeout:
		return "timeout"
	case http.StatusInternalServerError:
		return "internal"
	}
	return "refused"
}
