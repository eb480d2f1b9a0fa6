package wait_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/pioneerdesk/tomkit/internal/wait"
)

func TestForWaitsUntilTheContextIsDone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begin := time.Now()
		require.NoError(t, wait.For(t.Context(), time.Hour))
		require.Equal(t, time.Hour, time.Since(begin))

		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		begin = time.Now()
		require.ErrorIs(t, wait.For(ctx, time.Hour), context.DeadlineExceeded)
		require.Equal(t, time.Minute, time.Since(begin))
	})
}

func TestForDoesNotWaitForNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		done, cancel := context.WithCancel(t.Context())
		cancel()
		begin := time.Now()
		for _, d := range []time.Duration{-time.Second, 0} {
			require.NoError(t, wait.For(t.Context(), d))
		}
		for _, d := range []time.Duration{-time.Second, 0, time.Hour} {
			require.ErrorIs(t, wait.For(done, d), context.Canceled)
		}
		require.Zero(t, time.Since(begin))
	})
}
