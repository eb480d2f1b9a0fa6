package humaabac

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"github.com/pioneerdesk/tomkit/abac/httpabac"
)

// MetadataKey is the key in huma.Operation.Metadata whose value is the operation's httpabac.Access. Huma keeps metadata out
// of the API description.
const MetadataKey = "tomkit.access"

// NewAPI returns a huma API whose operations are routes of mux. Docs says who may read what huma serves about the API
// itself (OpenAPI documents, schemas, the documentation page); the zero Access serves none of it. It panics if docs is
// neither zero nor valid.
func NewAPI(mux *httpabac.Mux, config huma.Config, docs httpabac.Access) huma.API {
	if docs.IsZero() {
		config.OpenAPIPath, config.DocsPath, config.SchemasPath = "", "", ""
	}
	a := &adapter{mux: mux, docs: docs, describing: true}
	api := huma.NewAPI(config, a)
	a.describing = false
	return api
}

// Register registers an operation for those whom access lets through and documents its refusals: 401, 403 and 503. It
// panics if access is neither httpabac.Policy nor httpabac.Public, if its permission is not registered, or if api was not
// made by [NewAPI] (groups of such an API are fine).
func Register[I, O any](api huma.API, op huma.Operation, access httpabac.Access, handler func(context.Context, *I) (*O, error)) {
	pending := &registration{access: access}
	op.Metadata = maps.Clone(op.Metadata)
	if op.Metadata == nil {
		op.Metadata = make(map[string]any, 1)
	}
	op.Metadata[MetadataKey] = pending
	if !access.IsPublic() {
		op.Errors = slices.Clone(op.Errors)
		for _, status := range []int{http.StatusUnauthorized, http.StatusForbidden, http.StatusServiceUnavailable} {
			if !slices.Contains(op.Errors, status) {
				op.Errors = append(op.Errors, status)
			}
		}
	}
	huma.Register(api, op, handler)
	if !pending.guarded {
		panic(fmt.Errorf("humaabac: register: %s %s: the API was not made by NewAPI: %w", op.Method, op.Path, httpabac.ErrAccess))
	}
}

// registration travels in the metadata, through groups that copy it, and comes back from the adapter marked: so Register
// knows that a guard was really put in front.
type registration struct {
	access  httpabac.Access
	guarded bool
}

// adapter is a huma.Adapter over a guarded Mux.
type adapter struct {
	mux        *httpabac.Mux
	docs       httpabac.Access
	describing bool // huma.NewAPI is registering its own operations
}

// Handle registers op as a route. It is called by huma for every operation, whichever way it was registered.
func (a *adapter) Handle(op *huma.Operation, handler func(huma.Context)) {
	access := a.docs
	if !a.describing {
		access = a.accessOf(op)
	}
	a.mux.HandleFunc(strings.ToUpper(op.Method)+" "+op.Path, func(w http.ResponseWriter, r *http.Request) {
		handler(humago.NewContext(op, r, w))
	}, access)
}

// accessOf returns the access in op's metadata; the zero Access, which the Mux refuses, if there is none.
func (a *adapter) accessOf(op *huma.Operation) httpabac.Access {
	switch value := op.Metadata[MetadataKey].(type) {
	case *registration:
		value.guarded = true
		op.Metadata[MetadataKey] = value.access // what later readers of the operation find
		return value.access
	case httpabac.Access:
		return value
	}
	return httpabac.Access{}
}

// ServeHTTP answers the request through the Mux, guards included.
func (a *adapter) ServeHTTP(w http.ResponseWriter, r *http.Request) { a.mux.ServeHTTP(w, r) }
