package service

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"
)

// stopTime is how long requests under way and flushes may take after SIGTERM.
const stopTime = 10 * time.Second

// Stopper is something that ends with the service.
type Stopper func(context.Context) error

// Main runs a service until SIGTERM: start makes it and says where it listens. The stoppers are called in order.
func Main(start func(context.Context, Environment) (address string, stops []Stopper, err error)) {
	if err := run(start); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(start func(context.Context, Environment) (string, []Stopper, error)) error {
	ctx, cancel := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer cancel()
	env, err := ReadEnvironment()
	if err != nil {
		return err
	}
	address, stops, err := start(ctx, env)
	if err != nil {
		return fmt.Errorf("%s: %w", env.Name, err)
	}
	fmt.Printf("ready %s\n", address)
	<-ctx.Done()
	stopping, done := context.WithTimeout(context.Background(), stopTime)
	defer done()
	var problems []error
	for _, stop := range stops {
		problems = append(problems, stop(stopping))
	}
	return errors.Join(problems...)
}

// ServeHTTP listens and serves in the background.
func ServeHTTP(address string, handler http.Handler) (listening string, stop Stopper, err error) {
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return "", nil, err
	}
	server := &http.Server{Handler: handler, ReadHeaderTimeout: 5 * time.Second}
	go func() {
		if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			fmt.Fprintln(os.Stderr, err)
		}
	}()
	return listener.Addr().String(), server.Shutdown, nil
}
