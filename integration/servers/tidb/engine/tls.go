package main

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"os"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
)

// tlsFiles names what the gRPC server needs to serve with TLS; empty: in the
// clear. PD is always spoken to in the clear: the library's client of PD knows
// nothing else.
type tlsFiles struct{ ca, cert, key string }

// serverOptions makes the server ask every client for a certificate.
func (f tlsFiles) serverOptions() ([]grpc.ServerOption, error) {
	if f.ca == "" {
		return nil, nil
	}
	authority, err := os.ReadFile(f.ca)
	if err != nil {
		return nil, err
	}
	clients := x509.NewCertPool()
	if !clients.AppendCertsFromPEM(authority) {
		return nil, fmt.Errorf("%s holds no certificate", f.ca)
	}
	own, err := tls.LoadX509KeyPair(f.cert, f.key)
	if err != nil {
		return nil, err
	}
	secured := credentials.NewTLS(&tls.Config{
		Certificates: []tls.Certificate{own},
		ClientCAs:    clients,
		ClientAuth:   tls.RequireAndVerifyClientCert,
		MinVersion:   tls.VersionTLS12,
	})
	return []grpc.ServerOption{grpc.Creds(secured)}, nil
}
