package authntest_test

import (
	"testing"

	"github.com/pioneerdesk/tomkit/authn/authntest"
)

func TestMemory(t *testing.T) {
	authntest.Run(t, func(*testing.T) authntest.Fixture { return authntest.NewMemory() })
}
