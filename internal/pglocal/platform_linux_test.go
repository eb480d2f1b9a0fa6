package pglocal_test

const hasDeathSignal = true
