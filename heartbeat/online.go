package heartbeat

import "time"

// DefaultWindow is the age of the last beat below which a device is online (TOM 5.1).
const DefaultWindow = 5 * time.Minute

// Window is how long a device counts as online after its last beat. Zero means [DefaultWindow]; with a negative window
// no device that was seen up to now is online.
type Window time.Duration

// Online reports whether a device last seen at lastSeen is online at now: its age is less than the window, so a device
// seen exactly one window ago is offline. Both times are the server's. A device never seen (zero time) is offline.
func (w Window) Online(lastSeen, now time.Time) bool {
	if lastSeen.IsZero() {
		return false
	}
	if w == 0 {
		w = Window(DefaultWindow)
	}
	return now.Sub(lastSeen) < time.Duration(w)
}

// Online reports whether a device last seen at lastSeen is online at now, with the [DefaultWindow].
func Online(lastSeen, now time.Time) bool { return Window(0).Online(lastSeen, now) }
