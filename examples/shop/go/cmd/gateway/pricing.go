package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"go.opentelemetry.io/contrib/instrumentation/net/http/otelhttp"
)

// idleConnections is more than are ever busy at once, so that no request waits for a new one.
const idleConnections = 64

type pricing struct {
	url     string
	client  *http.Client
	timeout time.Duration
}

func newPricing(address string, policy policy) *pricing {
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.MaxIdleConnsPerHost = idleConnections
	return &pricing{
		url:     "http://" + address + "/price",
		client:  &http.Client{Transport: otelhttp.NewTransport(transport)},
		timeout: policy.attemptTimeout,
	}
}

// errBusy is what pricing says when another try may do.
var errBusy = errors.New("pricing is busy")

func mendsPrice(err error) bool {
	return errors.Is(err, errBusy) || errors.Is(err, context.DeadlineExceeded)
}

func (p *pricing) price(ctx context.Context, item string, quantity int32) (int64, error) {
	body, err := json.Marshal(map[string]any{"item": item, "quantity": quantity})
	if err != nil {
		return 0, err
	}
	return retried(ctx, p.timeout, mendsPrice, func(ctx context.Context) (int64, error) { return p.ask(ctx, body) })
}

func (p *pricing) ask(ctx context.Context, body []byte) (int64, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, p.url, bytes.NewReader(body))
	if err != nil {
		return 0, err
	}
	request.Header.Set("Content-Type", "application/json")
	response, err := p.client.Do(request)
	if err != nil {
		return 0, err
	}
	// Read to the end, so that the span ends and the connection is used again.
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		return 0, err
	}
	if response.StatusCode == http.StatusServiceUnavailable {
		return 0, errBusy
	}
	var priced struct {
		Cents int64 `json:"cents"`
	}
	if response.StatusCode != http.StatusOK {
		return 0, fmt.Errorf("pricing answered %d: %s", response.StatusCode, text)
	}
	err = json.Unmarshal(text, &priced)
	return priced.Cents, err
}
