// Command verify-in-browser is the offline verifier as a web page: one HTML file without a server, which opens from a disk as well as
// from a web site, and in which an auditor drops an export.
//
//	go run ./examples/verify-in-browser/build -o verify.html
//
// The page carries the verifier as WebAssembly. Its content security policy forbids every connection, so what is dropped cannot leave the
// browser. An export is read in pieces from the disk, however large it is; keys.json, receipts (.tlog-proof) and checkpoints dropped with
// it are what it is held against. The report it saves is that of tomkit-verify.
package main
