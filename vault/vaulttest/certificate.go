package vaulttest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"time"
)

// Certificate is a kind of certificate that the server can show.
type Certificate int

// Certificates.
const (
	Valid     Certificate = iota // of the server's authority, for its names, for ten years
	Expired                      // since an hour
	OtherHost                    // for another name
	Stranger                     // of an authority that nobody was told of
)

// authority issues certificates; its key exists in memory only.
type authority struct {
	key  *ecdsa.PrivateKey
	cert *x509.Certificate
}

func newAuthority(now time.Time) (*authority, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("vaulttest: authority: %w", err)
	}
	template := certificate("vaulttest authority", now.AddDate(-1, 0, 0), now.AddDate(20, 0, 0))
	template.IsCA, template.BasicConstraintsValid, template.KeyUsage = true, true, x509.KeyUsageCertSign
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return nil, fmt.Errorf("vaulttest: authority: %w", err)
	}
	cert, err := x509.ParseCertificate(der)
	return &authority{key, cert}, err
}

func (a *authority) pem() []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: a.cert.Raw})
}

func (a *authority) issue(from, to time.Time, hosts ...string) (*tls.Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("vaulttest: certificate: %w", err)
	}
	template := certificate(hosts[0], from, to)
	template.KeyUsage, template.ExtKeyUsage = x509.KeyUsageDigitalSignature, []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
	for _, host := range hosts {
		if ip := net.ParseIP(host); ip != nil {
			template.IPAddresses = append(template.IPAddresses, ip)
		} else {
			template.DNSNames = append(template.DNSNames, host)
		}
	}
	der, err := x509.CreateCertificate(rand.Reader, template, a.cert, key.Public(), a.key)
	if err != nil {
		return nil, fmt.Errorf("vaulttest: certificate: %w", err)
	}
	return &tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, nil
}

func certificate(name string, from, to time.Time) *x509.Certificate {
	serial, _ := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 127)) // does not fail
	return &x509.Certificate{SerialNumber: serial, Subject: pkix.Name{CommonName: name}, NotBefore: from, NotAfter: to}
}

// certificates makes one of each kind.
func certificates(ours *authority, now time.Time, hosts []string) (map[Certificate]*tls.Certificate, error) {
	stranger, err := newAuthority(now)
	if err != nil {
		return nil, err
	}
	from, to := now.Add(-24*time.Hour), now.AddDate(10, 0, 0)
	out := map[Certificate]*tls.Certificate{}
	for kind, issue := range map[Certificate]func() (*tls.Certificate, error){
		Valid:     func() (*tls.Certificate, error) { return ours.issue(from, to, hosts...) },
		Expired:   func() (*tls.Certificate, error) { return ours.issue(from, now.Add(-time.Hour), hosts...) },
		OtherHost: func() (*tls.Certificate, error) { return ours.issue(from, to, "vault.example.org") },
		Stranger:  func() (*tls.Certificate, error) { return stranger.issue(from, to, hosts...) },
	} {
		if out[kind], err = issue(); err != nil {
			return nil, err
		}
	}
	return out, nil
}
