// Package arch holds no code: its tests prove how the house is built. They read the import graph from go list, the
// documentation from go/doc and the root documents, and fail when an arrow turns, a name is undocumented, a public package
// has no example, or a document names something that does not exist.
package arch
