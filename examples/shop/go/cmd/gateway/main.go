// gateway answers GET /buy/{item} and GET /stock/{item} by asking the others.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"time"

	"go.opentelemetry.io/contrib/instrumentation/net/http/otelhttp"

	"tailspan/shop/internal/causes"
	"tailspan/shop/internal/service"
	"tailspan/shop/internal/tax"
	"tailspan/shop/internal/telemetry"
)

func main() { service.Main(start) }

func start(ctx context.Context, env service.Environment) (service.Started, error) {
	told, err := telemetry.Start(ctx, env)
	if err != nil {
		return service.Started{}, err
	}
	policy, err := readPolicy()
	if err != nil {
		return service.Started{}, err
	}
	inventory, err := dialInventory(env.Inventory, policy)
	if err != nil {
		return service.Started{}, err
	}
	orders, err := openOrders(ctx, env.Broker)
	if err != nil {
		return service.Started{}, err
	}
	tax.Start(env.Name, os.Getenv("SHOP_TAX_ENDPOINT"))
	gateway := &gateway{inventory: inventory, orders: orders, shards: policy.shards}
	if env.Pricing != "" {
		gateway.pricing = newPricing(env.Pricing, policy)
	} else {
		fmt.Fprintln(os.Stderr, "gateway: SHOP_PRICING is not set, so orders are not priced")
	}
	if !tax.Built {
		fmt.Fprintln(os.Stderr, "gateway: not built with ffi, so orders are not taxed")
	}
	board := causes.NewSwitchboard()
	if tax.Built {
		gateway.hardHandOver = board.Register("ffi", nil)
	}
	address, stopServer, err := service.ServeHTTP(env.Listen, gateway.handler())
	if err != nil {
		return service.Started{}, err
	}
	control, stopControl, err := service.ServeHTTP(env.Control, board.Handler())
	if err != nil {
		return service.Started{}, err
	}
	flush := func(context.Context) error {
		orders.client.Close()
		tax.Flush()
		return nil
	}
	stops := []service.Stopper{stopControl, stopServer, flush, told.Stop, inventory.close}
	return service.Started{Address: address, Control: control, Stops: stops}, nil
}

// policy is how the gateway calls others. It holds for a whole run, as settings do.
type policy struct {
	// attemptTimeout is how long one try may take.
	attemptTimeout time.Duration
	// hedgeAfter is when a second call is made beside a slow first; 0 makes none.
	hedgeAfter time.Duration
	// shards is how many parts of the inventory each purchase asks.
	shards int
}

func readPolicy() (policy policy, err error) {
	if policy.attemptTimeout, err = service.Milliseconds("SHOP_ATTEMPT_TIMEOUT_MS", 2*time.Second); err != nil {
		return policy, err
	}
	if policy.hedgeAfter, err = service.Milliseconds("SHOP_HEDGE_MS", 0); err != nil {
		return policy, err
	}
	policy.shards, err = service.Number("SHOP_SHARDS", 1)
	return policy, err
}

type gateway struct {
	// pricing is nil where there is none.
	pricing   *pricing
	inventory *inventory
	orders    *orders
	shards    int
	// hardHandOver is nil without the tax library.
	hardHandOver *causes.Cause
}

func (g *gateway) handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /buy/{item}", g.buy)
	mux.HandleFunc("GET /stock/{item}", g.stock)
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) })
	return otelhttp.NewHandler(mux, "gateway", otelhttp.WithFilter(func(r *http.Request) bool { return r.URL.Path != "/healthz" }))
}

const (
	quantity = 2
	// hardShare is how many orders in a hundred are hard to hand over in an ffi episode. The library is slow for all calls of the
	// next millisecond, so the order itself is hit, and hardly another.
	hardShare = 20
)

// order is what a purchase amounts to.
type order struct {
	Item     string `json:"item"`
	Quantity int32  `json:"quantity"`
	Cents    int64  `json:"cents"`
	TaxCents int64  `json:"tax_cents"`
	Left     int64  `json:"left"`
}

func (g *gateway) buy(w http.ResponseWriter, r *http.Request) {
	bought := order{Item: r.PathValue("item"), Quantity: quantity}
	err := g.fill(r.Context(), &bought)
	answer(w, bought, err)
}

func (g *gateway) fill(ctx context.Context, bought *order) (err error) {
	tasks := []func() error{func() (err error) {
		bought.Left, err = g.inventory.reserveAll(ctx, bought.Item, quantity, g.shards)
		return err
	}}
	if g.pricing != nil {
		tasks = append(tasks, func() (err error) {
			bought.Cents, err = g.pricing.price(ctx, bought.Item, quantity)
			return err
		})
	}
	if err := together(tasks); err != nil {
		return err
	}
	if tax.Built {
		if g.hardHandOver.Active() && causes.Chance(hardShare) {
			tax.Cause("ffi", time.Millisecond)
		}
		if bought.TaxCents, err = tax.Cents(ctx, tax.Order{Item: bought.Item, Quantity: quantity, Cents: bought.Cents}); err != nil {
			return err
		}
	}
	return g.orders.publish(ctx, bought)
}

func (g *gateway) stock(w http.ResponseWriter, r *http.Request) {
	level, err := g.inventory.count(r.Context(), r.PathValue("item"))
	answer(w, map[string]int64{"level": level}, err)
}

// together runs the tasks at once and waits for all.
func together(tasks []func() error) error {
	failures := make(chan error, len(tasks))
	for _, task := range tasks {
		go func() { failures <- task() }()
	}
	var all []error
	for range tasks {
		all = append(all, <-failures)
	}
	return errors.Join(all...)
}

func answer(w http.ResponseWriter, body any, err error) {
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadGateway)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	// The client may have gone; there is nobody to tell.
	_ = json.NewEncoder(w).Encode(body)
}
