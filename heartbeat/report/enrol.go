package report

import (
	"context"
	"fmt"
	"net/http"

	"github.com/pioneerdesk/tomkit/heartbeat"
)

// Enrol asks the server to take this device on and returns its ids and credential. cfg needs Server and Roots.
//
// It tries once: the token is spent by the server, so after a connection that broke in the middle only the server's list
// of devices tells whether it was. ErrRevoked and ErrRefused say that it was not accepted.
func Enrol(ctx context.Context, cfg Config, req heartbeat.EnrolRequest) (heartbeat.EnrolResponse, error) {
	cfg, err := cfg.withDefaults()
	if err != nil {
		return heartbeat.EnrolResponse{}, err
	}
	address, err := cfg.endpoint("/v1/enrol")
	if err != nil {
		return heartbeat.EnrolResponse{}, err
	}
	body, err := req.Encode()
	if err != nil {
		return heartbeat.EnrolResponse{}, err
	}
	client := cfg.client()
	defer client.CloseIdleConnections()
	answer, err := poster{client, cfg.Now}.post(ctx, address, "", body, http.StatusCreated)
	if err != nil {
		return heartbeat.EnrolResponse{}, err
	}
	res, err := heartbeat.ParseEnrolResponse(answer)
	if err != nil {
		return heartbeat.EnrolResponse{}, fmt.Errorf("report: enrol: answer: %w", err)
	}
	return res, nil
}
