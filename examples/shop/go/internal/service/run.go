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

// Started is a service that listens.
type Started struct {
	// Address is where the others reach it.
	Address string
	// Control is where causes are switched on.
	Control string
	// Cache is empty where it serves none.
	Cache string
	// Stops are called in order.
	Stops []Stopper
}

// ready is the line that the runner waits for. A service chooses its ports itself: one that the runner had found free could be taken by then.
func (s Started) ready() string {
	line := "ready " + s.Address + " control " + s.Control
	if s.Cache != "" {
		line += " cache " + s.Cache
	}
	return line
}

// Main runs a service until SIGTERM.
func Main(start func(context.Context, Environment) (Started, error)) {
	if err := run(start); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(start func(context.Context, Environment) (Started, error)) error {
	ctx, cancel := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer cancel()
	env, err := ReadEnvironment()
	if err != nil {
		return err
	}
	started, err := start(ctx, env)
	if err != nil {
		return fmt.Errorf("%s: %w", env.Name, err)
	}
	fmt.Println(started.ready())
	<-ctx.Done()
	stopping, done := context.WithTimeout(context.Background(), stopTime)
	defer done()
	var problems []error
	for _, stop := range started.Stops {
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
