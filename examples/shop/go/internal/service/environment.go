// Package service is what every service of the shop does alike: read its environment, say that it is ready, stop on SIGTERM.
package service

import (
	"fmt"
	"os"
	"strconv"
	"time"
)

// Level says how much a service tells about itself.
type Level string

const (
	// LevelDefault has the spans that libraries emit, and nothing else.
	LevelDefault Level = "default"
	// LevelWaits adds runtime metrics and a span around each wait for a worker or a connection.
	LevelWaits Level = "waits"
	// LevelCompanion adds Tailspan's companion library.
	LevelCompanion Level = "companion"
)

// Environment is what the runner told this process.
type Environment struct {
	Name      string
	Listen    string
	Control   string
	Pricing   string
	Inventory string
	Broker    string
	Cache     string
	Level     Level
	// TruthFolder is empty when no truth is recorded.
	TruthFolder string
	// Skew is how far the clock of this service's spans is ahead.
	Skew time.Duration
}

// ReadEnvironment refuses what it does not know, so that a typo is not a run with the wrong settings.
func ReadEnvironment() (Environment, error) {
	env := Environment{
		Name:        os.Getenv("OTEL_SERVICE_NAME"),
		Listen:      orElse(os.Getenv("SHOP_LISTEN"), "127.0.0.1:0"),
		Control:     orElse(os.Getenv("SHOP_CONTROL"), "127.0.0.1:0"),
		Pricing:     os.Getenv("SHOP_PRICING"),
		Inventory:   os.Getenv("SHOP_INVENTORY"),
		Broker:      os.Getenv("SHOP_BROKER"),
		Cache:       os.Getenv("SHOP_CACHE"),
		Level:       Level(orElse(os.Getenv("SHOP_LEVEL"), string(LevelDefault))),
		TruthFolder: os.Getenv("SHOP_TRUTH"),
	}
	if env.Name == "" {
		return env, fmt.Errorf("OTEL_SERVICE_NAME is not set")
	}
	switch env.Level {
	case LevelDefault, LevelWaits, LevelCompanion:
	default:
		return env, fmt.Errorf("SHOP_LEVEL is %q, not default, waits or companion", env.Level)
	}
	skew, err := Milliseconds("SHOP_SKEW_MS", 0)
	env.Skew = skew
	return env, err
}

// Milliseconds reads a duration from the environment.
func Milliseconds(name string, fallback time.Duration) (time.Duration, error) {
	text := os.Getenv(name)
	if text == "" {
		return fallback, nil
	}
	ms, err := strconv.ParseInt(text, 10, 32)
	if err != nil {
		return 0, fmt.Errorf("%s is %q, not whole milliseconds", name, text)
	}
	return time.Duration(ms) * time.Millisecond, nil
}

// Number reads a whole number of at least 1 from the environment.
func Number(name string, fallback int) (int, error) {
	text := os.Getenv(name)
	if text == "" {
		return fallback, nil
	}
	number, err := strconv.Atoi(text)
	if err != nil || number < 1 {
		return 0, fmt.Errorf("%s is %q, not a whole number of at least 1", name, text)
	}
	return number, nil
}

func orElse(text, fallback string) string {
	if text == "" {
		return fallback
	}
	return text
}
