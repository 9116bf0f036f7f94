package cache

import (
	"context"
	"errors"
	"net"
	"sync"
	"testing"
)

func TestValuesComeBackAndConnectionsAreUsedAgain(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	go Serve(listener, map[string]string{"place of i1": "7-12", "weight of i1": "300"})
	client := NewClient(listener.Addr().String())
	var all sync.WaitGroup
	for range 20 {
		all.Go(func() {
			for key, want := range map[string]string{"place of i1": "7-12", "weight of i1": "300"} {
				if got, err := client.Get(context.Background(), key); err != nil || got != want {
					t.Errorf("%s: %q, %v", key, got, err)
				}
			}
		})
	}
	all.Wait()
	if len(client.idle) == 0 || len(client.idle) > 20 {
		t.Errorf("%d idle connections", len(client.idle))
	}
	if _, err := client.Get(context.Background(), "place of i2"); !errors.Is(err, ErrMissing) {
		t.Errorf("got %v", err)
	}
	if _, err := client.Get(context.Background(), "a\nget b"); err == nil {
		t.Error("a key of two lines was taken")
	}
}

func TestACacheThatIsGoneIsAnError(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go func() {
		connection, err := listener.Accept()
		if err == nil {
			connection.Close()
		}
		listener.Close()
	}()
	client := NewClient(listener.Addr().String())
	for range 2 {
		if _, err := client.Get(context.Background(), "x"); err == nil {
			t.Error("no error")
		}
	}
}
