package security

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"os"

	"github.com/IBM/sarama"
)

// TLS says how brokers are recognised and what the client shows them. The zero value means no TLS; any field
// that is set turns it on. TLS with the system's CAs and nothing else is TLS{Config: &tls.Config{}}.
type TLS struct {
	// CAFile is a PEM file with the certificates of the CAs that sign the brokers' certificates. Empty: the
	// system's.
	CAFile string
	// CertFile and KeyFile are the client's certificate and key, PEM, for brokers that demand one (mTLS). They
	// are read again for each connection: a renewed certificate is used without a restart.
	CertFile, KeyFile string
	// ServerName is the name that a broker's certificate must carry. Empty: the name it is connected by.
	ServerName string
	// Config is the base for all else. It is copied; what a field above sets must not be set in it.
	Config *tls.Config
}

// Enabled says that connections are to be encrypted.
func (t TLS) Enabled() bool { return t != TLS{} }

// apply sets Net.TLS and returns what is wrong.
func (t TLS) apply(to *sarama.Config) []error {
	if !t.Enabled() {
		return nil
	}
	c := &tls.Config{MinVersion: tls.VersionTLS12}
	if t.Config != nil {
		c = t.Config.Clone()
	}
	var faults []error
	faults = append(faults, t.authorities(c)...)
	faults = append(faults, t.certificate(c)...)
	if t.ServerName != "" {
		if c.ServerName != "" && c.ServerName != t.ServerName {
			faults = append(faults, twice("TLS.ServerName", t.ServerName, "TLS.Config.ServerName"))
		}
		c.ServerName = t.ServerName
	}
	to.Net.TLS.Enable, to.Net.TLS.Config = true, c
	return faults
}

func (t TLS) authorities(c *tls.Config) []error {
	if t.CAFile == "" {
		return nil
	}
	if c.RootCAs != nil {
		return []error{twice("TLS.CAFile", t.CAFile, "TLS.Config.RootCAs")}
	}
	const remedy = "give the path of a PEM file with the CA certificates of the brokers"
	pem, err := os.ReadFile(t.CAFile)
	if err != nil {
		return []error{&Fault{"TLS.CAFile", t.CAFile, "cannot be read (" + reason(err) + ")", remedy, err}}
	}
	c.RootCAs = x509.NewCertPool()
	if !c.RootCAs.AppendCertsFromPEM(pem) {
		return []error{&Fault{"TLS.CAFile", t.CAFile, "holds no certificate", remedy, nil}}
	}
	return nil
}

func (t TLS) certificate(c *tls.Config) []error {
	switch {
	case t.CertFile == "" && t.KeyFile == "":
		return nil
	case t.KeyFile == "":
		return []error{&Fault{"TLS.CertFile", t.CertFile, "has no key", "set TLS.KeyFile to the PEM file with its private key", nil}}
	case t.CertFile == "":
		return []error{&Fault{"TLS.KeyFile", t.KeyFile, "has no certificate", "set TLS.CertFile to the PEM file with the certificate of this key", nil}}
	case len(c.Certificates) > 0 || c.GetClientCertificate != nil:
		return []error{twice("TLS.CertFile", t.CertFile, "TLS.Config.Certificates or GetClientCertificate")}
	}
	load := func() (*tls.Certificate, error) {
		pair, err := tls.LoadX509KeyPair(t.CertFile, t.KeyFile)
		return &pair, err
	}
	if _, err := load(); err != nil {
		return []error{&Fault{
			"TLS.CertFile", t.CertFile, "cannot be used with TLS.KeyFile = \"" + t.KeyFile + "\" (" + reason(err) + ")",
			"give a certificate and its own unencrypted private key, both in PEM files that this process may read", err,
		}}
	}
	c.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return load() }
	return nil
}

func twice(field, value, other string) error {
	return &Fault{field, value, "is given twice, also as " + other, "set one of them", nil}
}

// reason leaves the path out, which the fault names already.
func reason(err error) string {
	var path *os.PathError
	if errors.As(err, &path) {
		return path.Err.Error()
	}
	return err.Error()
}
