package server

import "crypto/tls"

// tlsConfig is TLS 1.2 and 1.3 (TOM 3.1.1). TLS 1.2 is limited to ECDHE with authenticated encryption, which is stricter than
// the OpenSSL string HIGH:!aNULL:!MD5 of the document; the suites of TLS 1.3, their order and the hybrid key exchange
// X25519MLKEM768 are Go's own and cannot be weakened.
func tlsConfig(certificate tls.Certificate) *tls.Config {
	return &tls.Config{
		Certificates: []tls.Certificate{certificate},
		MinVersion:   tls.VersionTLS12,
		CipherSuites: []uint16{
			tls.TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384, tls.TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
			tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
			tls.TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256, tls.TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
		},
		NextProtos: []string{"h2", "http/1.1"},
	}
}
