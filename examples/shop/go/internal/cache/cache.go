// Package cache is a key-value store over TCP, and a client for it that makes no spans, as most such clients do.
package cache

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"time"
)

const (
	roundTrip      = 2 * time.Second
	lineBytesMax   = 1 << 10
	idleConnsMax   = 64
	missing        = "-"
	unknownCommand = "?"
)

// Serve answers "get KEY" with the value, line by line, until the listener is closed.
func Serve(listener net.Listener, values map[string]string) {
	for {
		connection, err := listener.Accept()
		if err != nil {
			return
		}
		go answer(connection, values)
	}
}

func answer(connection net.Conn, values map[string]string) {
	defer connection.Close()
	lines := bufio.NewScanner(connection)
	lines.Buffer(nil, lineBytesMax)
	for lines.Scan() {
		reply := unknownCommand
		if key, isGet := strings.CutPrefix(lines.Text(), "get "); isGet {
			reply = missing
			if value, known := values[key]; known {
				reply = value
			}
		}
		if _, err := connection.Write([]byte(reply + "\n")); err != nil {
			return
		}
	}
}

// ErrMissing says that the cache has no such key.
var ErrMissing = errors.New("not in the cache")

// Client keeps idle connections for the next call.
type Client struct {
	address string
	idle    chan *link
}

type link struct {
	net.Conn
	lines *bufio.Scanner
}

// NewClient connects when it is first asked.
func NewClient(address string) *Client {
	return &Client{address: address, idle: make(chan *link, idleConnsMax)}
}

// Get asks for the value of a key.
func (c *Client) Get(ctx context.Context, key string) (string, error) {
	if strings.ContainsAny(key, "\r\n") || len(key) > lineBytesMax/2 {
		return "", fmt.Errorf("%q is no key", key)
	}
	connection, err := c.link(ctx)
	if err != nil {
		return "", err
	}
	value, err := connection.get(key)
	if err != nil {
		connection.Close()
		return "", err
	}
	select {
	case c.idle <- connection:
	default:
		connection.Close()
	}
	if value == missing {
		return "", ErrMissing
	}
	return value, nil
}

func (c *Client) link(ctx context.Context) (*link, error) {
	select {
	case idle := <-c.idle:
		return idle, nil
	default:
	}
	var dialer net.Dialer
	connection, err := dialer.DialContext(ctx, "tcp", c.address)
	if err != nil {
		return nil, err
	}
	lines := bufio.NewScanner(connection)
	lines.Buffer(nil, lineBytesMax)
	return &link{Conn: connection, lines: lines}, nil
}

func (l *link) get(key string) (string, error) {
	if err := l.SetDeadline(time.Now().Add(roundTrip)); err != nil {
		return "", err
	}
	if _, err := l.Write([]byte("get " + key + "\n")); err != nil {
		return "", err
	}
	if !l.lines.Scan() {
		return "", errors.Join(errors.New("the cache closed the connection"), l.lines.Err())
	}
	return l.lines.Text(), nil
}
