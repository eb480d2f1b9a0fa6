package abac_test

import (
	"fmt"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/pioneerdesk/tomkit/abac"
)

func TestCache(t *testing.T) {
	u, roles := tom6(t)
	c, err := abac.NewCache(u, abac.CacheConfig{MaxSets: 8, Roles: roles})
	require.NoError(t, err)

	t.Run("compiles a list once", func(t *testing.T) {
		first := c.Set(abac.Technician, []string{"itsm:read", "devices:read"})
		again := c.Set(abac.Technician, []string{"itsm:" + "read", "devices:read"})
		require.Same(t, first, again)
	})
	t.Run("tells lists apart that only differ in their borders", func(t *testing.T) {
		require.NotSame(t, c.Set("r", []string{"a:b", "c:d"}), c.Set("r", []string{"a:bc:d"}))
		require.NotSame(t, c.Set("r", []string{"a:b"}), c.Set("ra:b", nil))
		require.NotSame(t, c.Set("r", []string{"a:b"}), c.Set("r", []string{"a:b", "a:b"}))
		require.NotSame(t, c.Set("r", []string{"a:b", "c:d"}), c.Set("r", []string{"c:d", "a:b"}))
	})
	t.Run("tells roles apart, since Explain names them", func(t *testing.T) {
		require.NotSame(t, c.Set("r", []string{"a:b"}), c.Set("s", []string{"a:b"}))
	})
	t.Run("parts the role's policies from the person's", func(t *testing.T) {
		s := c.Set(abac.Technician, []string{"itsm:read", "devices:read"})
		require.Equal(t, abac.Technician, s.Explain("itsm:read").Rule.Role)
		require.Equal(t, abac.Individual, s.Explain("devices:read").Rule.Role)
	})
	t.Run("returns a void set for an unparsable list, every time", func(t *testing.T) {
		for range 2 {
			s := c.Set(abac.Superadmin, []string{"*:*", "!audit"})
			require.Error(t, s.Err())
			require.Equal(t, abac.InvalidPolicy, s.DecideString("audit:read").Reason)
		}
	})
	t.Run("does not keep the caller's slice", func(t *testing.T) {
		list := []string{"itsm:read"}
		c.Set("x", list)
		list[0] = "*:*"
		require.False(t, c.Set("x", []string{"itsm:read"}).DecideString("audit:read").Allowed)
		require.True(t, c.Set("x", list).DecideString("audit:read").Allowed)
	})
	t.Run("is bounded and keeps what is used", func(t *testing.T) {
		hot := c.Set("hot", []string{"itsm:read"})
		for i := range 1000 {
			c.Set("cold", []string{fmt.Sprintf("itsm:read%d", i)})
			require.Same(t, hot, c.Set("hot", []string{"itsm:read"}))
			require.LessOrEqual(t, c.Len(), 8)
		}
	})
}

func TestNewCacheChecksItsConfig(t *testing.T) {
	_, err := abac.NewCache(nil, abac.CacheConfig{})
	require.Error(t, err)
	_, err = abac.NewCache(universe(t), abac.CacheConfig{MaxSets: -1})
	require.Error(t, err)
	c, err := abac.NewCache(universe(t), abac.CacheConfig{})
	require.NoError(t, err)
	for i := range 3000 {
		c.Set("", []string{fmt.Sprintf("a:b%d", i)})
	}
	require.LessOrEqual(t, c.Len(), 1024)
	require.Greater(t, c.Len(), 256)
	c, err = abac.NewCache(universe(t), abac.CacheConfig{MaxSets: 1})
	require.NoError(t, err)
	require.False(t, c.Set("", nil).DecideString("a:b").Allowed)
}

func TestACachedSetDecidesLikeAFreshOne(t *testing.T) {
	u := universe(t, "devices:read", "devices.disk:read", "audit:write")
	c, err := abac.NewCache(u, abac.CacheConfig{MaxSets: 4})
	require.NoError(t, err)
	rapid.Check(t, func(t *rapid.T) {
		var policies []string
		for range rapid.IntRange(0, 4).Draw(t, "policies") {
			policies = append(policies, drawText(t, true))
		}
		permission := drawText(t, false)
		require.Equal(t, oracle(policies, permission), c.Set("r", policies).DecideString(permission).Reason)
	})
}

func TestOneCacheForManyGoroutines(t *testing.T) {
	c, err := abac.NewCache(universe(t, "devices:read"), abac.CacheConfig{MaxSets: 16})
	require.NoError(t, err)
	var wg sync.WaitGroup
	for g := range 8 {
		wg.Go(func() {
			for i := range 500 {
				n := (i * (g + 1)) % 40
				policies := []string{fmt.Sprintf("r%d:x", n), "devices:read"}
				s := c.Set("r", policies)
				if !s.DecideString(fmt.Sprintf("r%d:x", n)).Allowed || s.DecideString(fmt.Sprintf("r%d:x", n+1)).Allowed {
					t.Errorf("set %d was mixed up", n)
				}
			}
		})
	}
	wg.Wait()
}
