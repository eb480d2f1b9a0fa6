// Package humaabac lets huma operations be routes of an httpabac.Mux, so that no operation is without a policy.
//
// [NewAPI] takes the place of humago.New. Every operation, however it is registered, must carry an httpabac.Access in its
// metadata under [MetadataKey]; [Register] puts it there, and registering one without panics. The check itself is the
// Mux's: it runs before huma reads the request, gives the same problem+json answers, and operations appear in the Mux's
// list of routes beside plain handlers.
//
//	mux := httpabac.NewMux(guard)
//	api := humaabac.NewAPI(mux, huma.DefaultConfig("Devices", "1.0.0"), httpabac.Public("API description"))
//	humaabac.Register(api, huma.Operation{Method: http.MethodGet, Path: "/v1/devices"}, httpabac.Policy("devices:read"), list)
//
// Authentication is net/http middleware around the Mux; huma's own middlewares run after the guard. What extensions of huma
// register by themselves (streams of events, generated PATCH operations) needs the Access in its metadata as well.
//
// Sources: TOM 1.3.2, RFC 9457.
package humaabac
