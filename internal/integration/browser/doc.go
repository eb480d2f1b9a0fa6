// Package browser holds the tests that need a real browser: they drop exports on the page of examples/verify-in-browser, opened from the
// disk in a headless Chromium.
//
//	TOMKIT_TEST_CHROMIUM   the browser's program (default: chromium, chromium-browser or google-chrome on the path)
//	TOMKIT_TEST_REQUIRE=1  fail where there is none; without it nothing runs there
package browser
