package report

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/pioneerdesk/tomkit/heartbeat"
)

const (
	maxAnswer     = 16 << 10
	maxTitle      = 120
	maxRetryAfter = time.Hour
)

// poster sends JSON documents to one server.
type poster struct {
	client *http.Client
	now    func() time.Time
}

// post sends body to address and returns the body of an answer with status want. Other answers are an *AnswerError;
// everything else that fails is ErrUnavailable.
func (p poster) post(ctx context.Context, address string, credential heartbeat.Token, body []byte, want int) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, address, bytes.NewReader(body))
	if err != nil {
		return nil, fmt.Errorf("report: post: %w", err)
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Accept", "application/json, application/problem+json")
	req.Header.Set("User-Agent", "tomkit-agent")
	if credential != "" {
		req.Header.Set("Authorization", "Bearer "+credential.Reveal())
	}
	res, err := p.client.Do(req)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	defer res.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(res.Body, maxAnswer+1))
	if err != nil {
		return nil, fmt.Errorf("%w: reading the answer: %w", ErrUnavailable, err)
	}
	if res.StatusCode != want {
		return nil, p.answerError(res, answer)
	}
	if len(answer) > maxAnswer {
		return nil, fmt.Errorf("%w: answer larger than %d bytes", ErrUnavailable, maxAnswer)
	}
	return answer, nil
}

func (p poster) answerError(res *http.Response, body []byte) error {
	e := &AnswerError{Status: res.StatusCode, RetryAfter: p.retryAfter(res.Header.Get("Retry-After")), kind: ErrUnavailable}
	switch res.StatusCode {
	case http.StatusUnauthorized:
		e.kind = ErrRevoked
	case http.StatusBadRequest, http.StatusForbidden, http.StatusConflict, http.StatusGone,
		http.StatusRequestEntityTooLarge, http.StatusUnsupportedMediaType, http.StatusUnprocessableEntity:
		e.kind = ErrRefused
	}
	var problem struct {
		Title string `json:"title"`
	}
	if strings.HasPrefix(res.Header.Get("Content-Type"), "application/problem+json") && json.Unmarshal(body, &problem) == nil {
		e.Title = heartbeat.Clip(problem.Title, maxTitle)
	}
	return e
}

// retryAfter reads seconds or a date (RFC 9110 section 10.2.3); anything else is no pause.
func (p poster) retryAfter(value string) time.Duration {
	var d time.Duration
	if seconds, err := strconv.ParseUint(value, 10, 31); err == nil {
		d = time.Duration(seconds) * time.Second
	} else if at, err := http.ParseTime(value); err == nil {
		d = at.Sub(p.now())
	}
	return min(max(d, 0), maxRetryAfter)
}
