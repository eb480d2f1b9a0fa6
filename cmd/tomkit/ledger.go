package main

type ledgerCmd struct {
	Import importCmd `cmd:"" help:"Verify a chain in the document's own format and write it as an export."`
}
