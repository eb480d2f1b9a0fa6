package main

import (
	"bytes"

	"github.com/pioneerdesk/tomkit/ledger/sign"
	"github.com/pioneerdesk/tomkit/ledger/verify"
)

// history stands for a log: it returns the keys and the signed checkpoint of one with 100 entries. pgledger makes real ones.
func history(text string) (*verify.KeyHistory, []byte, error) {
	composite, err := sign.ParseCompositeKey(bytes.Repeat([]byte{1}, sign.CompositeSeedSize))
	if err != nil {
		return nil, nil, err
	}
	stock, err := sign.ParseEd25519Key(bytes.Repeat([]byte{2}, sign.Ed25519SeedSize))
	if err != nil {
		return nil, nil, err
	}
	origin := verify.FormatOrigin("audit.example", [16]byte{1}, 0)
	var tree verify.Tree
	for range 100 {
		tree.Append(verify.LeafHash([]byte(text)))
	}
	signed, err := verify.SignCheckpoint(verify.Checkpoint{Origin: origin, Size: tree.Size(), Root: tree.Root()}, composite, stock)
	return &verify.KeyHistory{Origin: origin, Keys: []verify.Key{
		{Purpose: verify.PurposeCheckpoint, Composite: composite.Public()}, {Purpose: verify.PurposeStock, Ed25519: stock.Public()},
	}}, signed, err
}
