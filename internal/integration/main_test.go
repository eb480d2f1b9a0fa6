package integration_test

import (
	"cmp"
	"context"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/testcontainers/testcontainers-go"
	"github.com/testcontainers/testcontainers-go/modules/postgres"
	"github.com/testcontainers/testcontainers-go/network"

	"github.com/pioneerdesk/tomkit/internal/pgtest"
)

const (
	envPostgres = "TOMKIT_TEST_POSTGRES_IMAGE"
	envRedis    = "TOMKIT_TEST_REDIS_IMAGE"
)

// Images that are used when the variables name no others.
const (
	defaultPostgres = "postgres:17-alpine"
	defaultRedis    = "redis:7-alpine"
)

// containers is the network on which our containers reach each other, by these names.
var containers *testcontainers.DockerNetwork

const postgresAlias = "postgres"

// startTimeout bounds the start of a container, a first download included.
const startTimeout = 5 * time.Minute

func TestMain(m *testing.M) {
	flag.Parse()
	code, err := run(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, "integration:", err)
		code = 1
	}
	os.Exit(code)
}

func run(m *testing.M) (code int, err error) {
	images := strings.FieldsFunc(cmp.Or(os.Getenv(envPostgres), defaultPostgres), func(r rune) bool { return r == ',' || r == ' ' })
	if len(images) > 1 {
		return matrix(images)
	}
	ctx, cancel := context.WithTimeout(context.Background(), startTimeout)
	defer cancel()
	if err := engineHealth(ctx); err != nil {
		if os.Getenv(pgtest.EnvRequire) == "1" {
			return 1, err
		}
		fmt.Fprintln(os.Stderr, "integration: nothing was run:", err)
		return 0, nil
	}
	if err := findHost(ctx); err != nil {
		return 1, err
	}
	if err := removeLeftovers(ctx); err != nil {
		return 1, err
	}
	defer func() {
		if e := removeOurs(); err == nil {
			err = e
		}
	}()
	if containers, err = network.New(ctx, network.WithLabels(ourLabels())); err != nil {
		return 1, fmt.Errorf("network: %w", err)
	}
	began := time.Now()
	url, err := startPostgres(ctx, images[0])
	if err != nil {
		return 1, err
	}
	fmt.Printf("integration: %s ready in %v\n", images[0], time.Since(began).Round(time.Millisecond))
	os.Setenv(pgtest.EnvURL, url)
	return m.Run(), nil
}

// matrix runs this program once for each image: a test process has one server.
func matrix(images []string) (code int, err error) {
	for _, image := range images {
		fmt.Printf("integration: == %s\n", image)
		cmd := exec.Command(os.Args[0], os.Args[1:]...)
		cmd.Env = append(os.Environ(), envPostgres+"="+image)
		cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
		if err := cmd.Run(); err != nil {
			fmt.Fprintf(os.Stderr, "integration: %s: %v\n", image, err)
			code = 1
		}
	}
	return code, nil
}

// memory is where the cluster lies inside the container: the layers of a container's
// file system are slow for many small files.
const memory = "/pgdata"

// startPostgres returns the URL of a superuser.
func startPostgres(ctx context.Context, image string) (string, error) {
	container, err := postgres.Run(ctx, image,
		postgres.WithUsername("root"), postgres.WithPassword("integration"), postgres.WithDatabase("maintenance"),
		testcontainers.WithCmdArgs("-c", "max_connections=200", "-c", "jit=off", "-c", "full_page_writes=off", "-c", "synchronous_commit=off"),
		testcontainers.WithEnv(map[string]string{"PGDATA": memory + "/data"}),
		testcontainers.WithTmpfs(map[string]string{memory: "rw"}),
		testcontainers.WithLabels(ourLabels()),
		network.WithNetwork([]string{postgresAlias}, containers),
		postgres.BasicWaitStrategies(),
	)
	if err != nil {
		return "", fmt.Errorf("start %s: %w", image, err)
	}
	return container.ConnectionString(ctx, "sslmode=disable")
}
