package pglocal

// WatcherOnly returns c without the kernel's death signal.
func (c Config) WatcherOnly() Config {
	c.watcherOnly = true
	return c
}

// InstallFor is installFor.
var InstallFor = installFor
