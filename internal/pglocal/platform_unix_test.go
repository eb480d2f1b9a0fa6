//go:build unix && !linux && !aix && !solaris

package pglocal_test

const hasDeathSignal = false
