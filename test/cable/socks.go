package cable

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"

	"github.com/IBM/sarama"
	"golang.org/x/net/proxy"
)

// Through makes all connections of a consumer go through the proxy at the address: for Config.Sarama.
func Through(address string) func(*sarama.Config) {
	return func(c *sarama.Config) {
		dialer, err := proxy.SOCKS5("tcp", address, nil, proxy.Direct)
		if err != nil { // it knows none
			return
		}
		c.Net.Proxy.Enable, c.Net.Proxy.Dialer = true, dialer
	}
}

// What SOCKS5 (RFC 1928) has numbers for.
const (
	version    = 5
	connect    = 1
	byIPv4     = 1
	byName     = 3
	byIPv6     = 4
	succeeded  = 0
	refused    = 5
	noPassword = 0
)

var errNotSpoken = errors.New("cable: only SOCKS5's CONNECT is spoken here")

// greet reads what a client wants to be connected with.
func greet(client io.ReadWriter) (target string, err error) {
	var head [4]byte
	if _, err := io.ReadFull(client, head[:2]); err != nil {
		return "", err
	}
	if head[0] != version {
		return "", errNotSpoken
	}
	if _, err := io.CopyN(io.Discard, client, int64(head[1])); err != nil { // the ways in which it could log in
		return "", err
	}
	if _, err := client.Write([]byte{version, noPassword}); err != nil {
		return "", err
	}
	if _, err := io.ReadFull(client, head[:]); err != nil {
		return "", err
	}
	if head[0] != version || head[1] != connect {
		return "", errNotSpoken
	}
	var size int
	switch head[3] {
	case byIPv4:
		size = net.IPv4len
	case byIPv6:
		size = net.IPv6len
	case byName:
		var n [1]byte
		if _, err := io.ReadFull(client, n[:]); err != nil {
			return "", err
		}
		size = int(n[0])
	default:
		return "", fmt.Errorf("cable: an address of type %d", head[3])
	}
	rest := make([]byte, size+2)
	if _, err := io.ReadFull(client, rest); err != nil {
		return "", err
	}
	host := string(rest[:size])
	if head[3] != byName {
		host = net.IP(rest[:size]).String()
	}
	return net.JoinHostPort(host, strconv.Itoa(int(binary.BigEndian.Uint16(rest[size:])))), nil
}

// answer tells the client how the dial went.
func answer(client io.Writer, dial error) error {
	reply := [10]byte{version, succeeded, 0, byIPv4}
	if dial != nil {
		reply[1] = refused
	}
	_, err := client.Write(reply[:])
	return err
}
