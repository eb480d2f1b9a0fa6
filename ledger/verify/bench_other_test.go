//go:build !unix

package verify_test

import "time"

var began = time.Now()

// processorTime returns wall time where processor time is not to be had.
func processorTime() time.Duration { return time.Since(began) }
