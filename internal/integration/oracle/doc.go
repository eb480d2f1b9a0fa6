// Package oracle compares tomkit with independent implementations of the same
// standards: filippo.io/mldsa for FIPS 204 and github.com/gowebpki/jcs for RFC 8785;
// and the policy engine with github.com/cedar-policy/cedar-go.
package oracle
