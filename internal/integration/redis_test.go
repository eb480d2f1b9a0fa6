package integration_test

import (
	"bufio"
	"cmp"
	"context"
	"io"
	"net"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/testcontainers/testcontainers-go"
	"github.com/testcontainers/testcontainers-go/modules/redis"
)

// TestRedisImage shows that the image can carry suites: it is reachable without a
// password from outside its container and keeps what it is given.
func TestRedisImage(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), startTimeout)
	defer cancel()
	container, err := redis.Run(ctx, cmp.Or(os.Getenv(envRedis), defaultRedis), testcontainers.WithLabels(ourLabels()))
	require.NoError(t, err)
	testcontainers.CleanupContainer(t, container)
	address, err := container.PortEndpoint(ctx, "6379/tcp", "")
	require.NoError(t, err)
	conn, err := net.DialTimeout("tcp", address, time.Minute)
	require.NoError(t, err)
	defer conn.Close()
	answers := bufio.NewReader(conn)
	for _, step := range []struct{ send, want string }{
		{"PING\r\n", "+PONG\r\n"},
		{"SET beat 1 EX 60\r\n", "+OK\r\n"},
		{"INCR beat\r\n", ":2\r\n"},
		{"EVAL \"return redis.call('GET', KEYS[1])\" 1 beat\r\n", "$1\r\n"},
	} {
		_, err := io.WriteString(conn, step.send)
		require.NoError(t, err)
		got, err := answers.ReadString('\n')
		require.NoError(t, err)
		require.Equal(t, step.want, got)
	}
}
