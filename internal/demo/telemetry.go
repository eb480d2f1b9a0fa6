package demo

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"runtime"
	"time"

	"github.com/pioneerdesk/tomkit/heartbeat"
	"github.com/pioneerdesk/tomkit/heartbeat/collect"
	"github.com/pioneerdesk/tomkit/heartbeat/report"
)

// beats is how many heartbeats of this machine are sent.
const beats = 3

// telemetry enrols this machine and sends its real figures.
func (d *demo) telemetry(ctx context.Context) error {
	w := &d.world
	token, err := d.enrolToken(ctx)
	if err != nil {
		return err
	}
	host, err := os.Hostname()
	if err != nil || host == "" {
		host = "this-machine"
	}
	machine, err := collect.MachineID(ctx)
	if err != nil {
		return err
	}
	request := heartbeat.EnrolRequest{Token: token, Name: heartbeat.Clip(host, heartbeat.MaxName), OS: runtime.GOOS, Arch: runtime.GOARCH, MachineID: machine}
	link := report.Config{Server: d.server.URL(), Roots: d.server.Authority.Pool()}
	enrolled, err := report.Enrol(ctx, link, request)
	if err != nil {
		return err
	}
	w.device = enrolled.Device
	d.try(ctx, "TX-01", "the one-time enrolment token a second time", "refused", func(ctx context.Context) (string, bool, error) {
		_, err := report.Enrol(ctx, link, request)
		if err == nil {
			return "a second device was enrolled", false, nil
		}
		return err.Error(), errors.Is(err, report.ErrRevoked), nil
	})
	link.Credential = enrolled.Credential
	if err := d.send(ctx, link); err != nil {
		return err
	}
	d.try(ctx, "T5.1-05", "this machine in the clinic's list of devices", "1 device, online", func(ctx context.Context) (string, bool, error) {
		var list struct {
			Devices []struct {
				Name   string
				Online bool
			}
		}
		err := w.browsers[w.admin].get(ctx, "/v1/devices", &list)
		online := len(list.Devices) == 1 && list.Devices[0].Online
		return fmt.Sprintf("%d device(s), online: %v", len(list.Devices), online), online, err
	})
	return nil
}

func (d *demo) enrolToken(ctx context.Context) (heartbeat.Token, error) {
	a, err := d.world.browsers[d.world.admin].call(ctx, http.MethodPost, "/v1/devices/enrolments", nil)
	if err != nil {
		return "", err
	}
	if a.Status != http.StatusCreated {
		return "", fmt.Errorf("enrolment token: %s", a)
	}
	var body struct {
		Token heartbeat.Token `json:"token"`
	}
	return body.Token, json.Unmarshal(a.Body, &body)
}

func (d *demo) send(ctx context.Context, link report.Config) error {
	collector, err := collect.New(ctx, collect.Config{AgentVersion: heartbeat.Clip(d.cfg.Version, heartbeat.MaxText), Window: 200 * time.Millisecond})
	if err != nil {
		return err
	}
	reporter, err := report.New(link)
	if err != nil {
		return err
	}
	defer reporter.Close()
	var last heartbeat.Sample
	d.try(ctx, "T5.1-01", fmt.Sprintf("%d heartbeats of this machine over HTTPS", beats), "acknowledged after commit, the newest one stored", func(ctx context.Context) (string, bool, error) {
		for range beats {
			if last, err = collector.Sample(ctx); err != nil {
				return "", false, err
			}
			if err := reporter.Send(ctx, last); err != nil {
				return "", false, err
			}
		}
		var seen time.Time
		err := d.super.QueryRow(ctx, `SELECT last_seen FROM tomkit.heartbeats WHERE tenant_id = $1 AND device_id = $2`, d.world.clinic, d.world.device).Scan(&seen)
		age := time.Since(seen)
		return fmt.Sprintf("stored, %.1f s old", age.Seconds()), err == nil && age < heartbeat.DefaultWindow, err
	})
	d.fact("measured here: %s", describe(last))
	return nil
}

// describe is a sample in one line.
func describe(s heartbeat.Sample) string {
	const gib = 1 << 30
	text := fmt.Sprintf("%s %s %s, CPU %.0f %% of %d cores, memory %.1f of %.1f GiB", s.OS.Name, s.OS.Version, s.OS.Arch,
		s.CPU.Percent, s.CPU.Cores, float64(s.Memory.Used)/gib, float64(s.Memory.Total)/gib)
	if len(s.Disks) > 0 {
		text += fmt.Sprintf(", %s %.0f of %.0f GiB", s.Disks[0].Mount, float64(s.Disks[0].Used)/gib, float64(s.Disks[0].Total)/gib)
	}
	return text + fmt.Sprintf(", network %d B/s in, %d B/s out", s.Network.RxBytesPerSecond, s.Network.TxBytesPerSecond)
}
