// Package tlog holds the suites that show a log of tomkit to the tools of the transparency-log community: the readers of
// golang.org/x/mod, Tessera's client and fsck, and the stock C2SP witness and its clients. They need no container.
package tlog
