package integration_test

import (
	"os"
	"os/exec"
	"strings"
	"testing"
)

// envRooms names packages of the main module.
const envRooms = "TOMKIT_TEST_ROOMS"

// TestRooms runs the rooms' own tests on the container: they take it from the same
// variable as the tests here.
func TestRooms(t *testing.T) {
	for _, room := range strings.Fields(os.Getenv(envRooms)) {
		t.Run(room, func(t *testing.T) {
			cmd := exec.CommandContext(t.Context(), "go", "test", "-count=1", room)
			cmd.Dir = "../.."
			out, err := cmd.CombinedOutput()
			if err != nil {
				t.Fatalf("%v\n%s", err, out)
			}
			t.Logf("%s", out)
		})
	}
}
