package demo

import (
	"github.com/pioneerdesk/tomkit/authn/totp"
)

// next tells where to look next.
func (d *demo) next() {
	if d.json {
		return // the summary is the last line
	}
	d.stage("Where to look next")
	d.fact("CONTROLS.md names, for each control above, its room and the test that fails when it breaks")
	d.fact("README.md shows how to import one control alone; examples/ has one program for each")
	d.fact("tomkit-server --help, tomkit-agent --help, tomkit-verify --help")
}

// howToSignIn prints what a person needs to go on by hand.
func (d *demo) howToSignIn() {
	app, err := totp.New(totp.Config{})
	if err != nil {
		return
	}
	w := &d.world
	uri, err := app.URI("tomkit demo", w.admin.email, w.admin.secret)
	if err != nil {
		return
	}
	d.stage("Still serving on %s, until Ctrl-C", d.server.URL())
	d.fact("API description: %s/docs (the certificate is of a throw-away authority)", d.server.URL())
	d.fact("tenant %s, e-mail %s, password %s", w.admin.tenant, w.admin.email, w.admin.password)
	d.fact("authenticator app: %s", uri)
	if !d.json {
		_ = printQR(d.out, uri) // decoration
	}
}
