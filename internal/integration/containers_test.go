package integration_test

import (
	"context"
	"fmt"
	"net"
	"os"
	"strconv"
	"time"

	"github.com/moby/moby/client"
	"github.com/testcontainers/testcontainers-go"
)

// Labels of our containers: whose they are and when they were made, in Unix seconds.
const (
	labelRun  = "dev.tomkit.integration"
	labelMade = "dev.tomkit.integration.made"
)

// leftoverAge is the age from which a container is nobody's any more.
const leftoverAge = time.Hour

// runID names this process's containers.
var runID = fmt.Sprintf("%d-%d", os.Getpid(), time.Now().UnixNano())

func ourLabels() map[string]string {
	return map[string]string{labelRun: runID, labelMade: strconv.FormatInt(time.Now().Unix(), 10)}
}

// engineHealth is nil if containers can be started here.
func engineHealth(ctx context.Context) (err error) {
	defer func() {
		if r := recover(); r != nil { // testcontainers panics where it finds no engine at all
			err = fmt.Errorf("no container engine: %v", r)
		}
	}()
	provider, err := testcontainers.ProviderDefault.GetProvider()
	if err != nil {
		return fmt.Errorf("no container engine: %w", err)
	}
	defer provider.Close()
	if err := provider.Health(ctx); err != nil {
		return fmt.Errorf("no container engine: %w", err)
	}
	return nil
}

// envHost overrides the address at which testcontainers looks for published ports.
const envHost = "TESTCONTAINERS_HOST_OVERRIDE"

// findHost corrects testcontainers' guess on a machine that looks like a container (it
// has /.dockerenv) and runs its own engine: there the guess is the default gateway. The
// engine is ours if the interface of its bridge is one of our own.
func findHost(ctx context.Context) error {
	if os.Getenv(envHost) != "" {
		return nil
	}
	engine, err := testcontainers.NewDockerClientWithOpts(ctx)
	if err != nil {
		return fmt.Errorf("find host: %w", err)
	}
	defer engine.Close()
	bridge, err := engine.NetworkInspect(ctx, "bridge", client.NetworkInspectOptions{})
	if err != nil {
		return nil // an engine without Docker's default network: the guess stands
	}
	name := bridge.Network.Options["com.docker.network.bridge.name"]
	if _, err := net.InterfaceByName(name); err != nil {
		return nil
	}
	return os.Setenv(envHost, "localhost")
}

// removeOurs removes the containers of this process and their network: the reaper may be switched off.
func removeOurs() error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	return remove(ctx, labelRun+"="+runID, func(map[string]string) bool { return true })
}

// removeLeftovers removes what runs left that were killed.
func removeLeftovers(ctx context.Context) error {
	return remove(ctx, labelRun, func(labels map[string]string) bool {
		made, err := strconv.ParseInt(labels[labelMade], 10, 64)
		return err == nil && time.Since(time.Unix(made, 0)) > leftoverAge
	})
}

func remove(ctx context.Context, label string, chosen func(labels map[string]string) bool) error {
	engine, err := testcontainers.NewDockerClientWithOpts(ctx)
	if err != nil {
		return fmt.Errorf("clean up: %w", err)
	}
	defer engine.Close()
	filters := make(client.Filters).Add("label", label)
	found, err := engine.ContainerList(ctx, client.ContainerListOptions{All: true, Filters: filters})
	if err != nil {
		return fmt.Errorf("clean up: %w", err)
	}
	for _, c := range found.Items {
		if !chosen(c.Labels) {
			continue
		}
		if _, err := engine.ContainerRemove(ctx, c.ID, client.ContainerRemoveOptions{Force: true, RemoveVolumes: true}); err != nil {
			return fmt.Errorf("clean up: %w", err)
		}
	}
	networks, err := engine.NetworkList(ctx, client.NetworkListOptions{Filters: filters})
	if err != nil {
		return fmt.Errorf("clean up: %w", err)
	}
	for _, n := range networks.Items {
		if !chosen(n.Labels) {
			continue
		}
		if _, err := engine.NetworkRemove(ctx, n.ID, client.NetworkRemoveOptions{}); err != nil {
			return fmt.Errorf("clean up: %w", err)
		}
	}
	return nil
}
