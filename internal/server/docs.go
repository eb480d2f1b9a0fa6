package server

import (
	"html/template"
	"net/http"
	"slices"
	"strings"

	"github.com/danielgtaylor/huma/v2"
)

// page lists the operations of the API. It needs no script and loads nothing from elsewhere.
var page = template.Must(template.New("docs").Parse(`<!doctype html>
<html lang="en"><meta charset="utf-8"><title>{{.Title}}</title>
<h1>{{.Title}} {{.Version}}</h1><p>{{.Description}}</p>
<p>Machine-readable: <a href="/openapi.json">OpenAPI 3.1</a>. Errors are problem documents (RFC 9457) with a stable code and the request's id.</p>
<table border="1" cellpadding="4"><tr><th>Method</th><th>Path</th><th>What</th></tr>
{{range .Operations}}<tr><td>{{.Method}}</td><td><code>{{.Path}}</code></td><td>{{.Summary}}</td></tr>
{{end}}</table></html>
`))

func (a *api) page(w http.ResponseWriter, _ *http.Request) {
	description := a.huma.OpenAPI()
	var operations []*huma.Operation
	for _, item := range description.Paths {
		for _, op := range []*huma.Operation{item.Get, item.Post, item.Put, item.Patch, item.Delete} {
			if op != nil {
				operations = append(operations, op)
			}
		}
	}
	slices.SortFunc(operations, func(x, y *huma.Operation) int { return strings.Compare(x.Path+x.Method, y.Path+y.Method) })
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	_ = page.Execute(w, map[string]any{ // the client is gone if this fails
		"Title": description.Info.Title, "Version": description.Info.Version, "Description": description.Info.Description, "Operations": operations,
	})
}
