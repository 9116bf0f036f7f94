// load is the shop's customers: they come when they come, however slow the shop is. It has no spans of its own.
package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"slices"
	"sync"
	"time"

	"tailspan/shop/internal/arrivals"
	"tailspan/shop/internal/catalogue"
)

const (
	// openRequestsMax bounds what a dead shop costs; beyond it requests are given up, and counted.
	openRequestsMax = 2_000
	requestTime     = 10 * time.Second
	secondsMax      = 24 * 3600
)

type options struct {
	target     string
	seconds    float64
	stockShare float64
	plan       arrivals.Plan
}

// report is printed as one line of JSON; latencies count from when the request was due, not from when it could be sent.
type report struct {
	Sent    int     `json:"sent"`
	OK      int     `json:"ok"`
	Failed  int     `json:"failed"`
	GivenUp int     `json:"given_up"`
	P50Ms   float64 `json:"p50_ms"`
	P99Ms   float64 `json:"p99_ms"`
	MaxMs   float64 `json:"max_ms"`
	LateMs  float64 `json:"late_p99_ms"`
}

func main() {
	options, err := readOptions()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}
	line, err := json.Marshal(run(options))
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fmt.Println(string(line))
}

func readOptions() (options, error) {
	var o options
	flag.StringVar(&o.target, "target", "", "http://host:port of the gateway")
	flag.Float64Var(&o.seconds, "seconds", 10, "how long requests come")
	flag.Float64Var(&o.plan.Rate, "rate", 100, "requests a second outside of bursts")
	flag.Uint64Var(&o.plan.Seed, "seed", 1, "the same seed gives the same requests at the same times")
	flag.Float64Var(&o.stockShare, "stock-share", 0.2, "share of requests that only ask for the stock")
	flag.DurationVar(&o.plan.BurstEvery, "burst-every", 3*time.Second, "mean time between bursts; 0 has none")
	flag.DurationVar(&o.plan.BurstLength, "burst-length", 150*time.Millisecond, "length of a burst")
	flag.Float64Var(&o.plan.BurstFactor, "burst-factor", 2, "rate in a burst, times the rate outside")
	flag.Parse()
	switch {
	case o.target == "":
		return o, fmt.Errorf("-target is missing")
	case o.seconds <= 0 || o.seconds > secondsMax:
		return o, fmt.Errorf("-seconds takes a number above 0, at most %d", secondsMax)
	case o.plan.Rate <= 0 || o.plan.BurstFactor <= 0:
		return o, fmt.Errorf("-rate and -burst-factor take a number above 0")
	}
	return o, nil
}

// sample is one request that was answered or failed.
type sample struct {
	latency time.Duration
	late    time.Duration
	ok      bool
}

func run(o options) report {
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.MaxIdleConns, transport.MaxIdleConnsPerHost = 0, openRequestsMax
	client := &http.Client{Transport: transport, Timeout: requestTime}
	choice := rand.New(rand.NewPCG(o.plan.Seed, 0xb0a7))
	schedule := arrivals.NewSchedule(o.plan)
	places := make(chan struct{}, openRequestsMax)
	var result report
	var mutex sync.Mutex
	var samples []sample
	var open sync.WaitGroup
	start := time.Now()
	for {
		due := schedule.Next()
		if due.Seconds() > o.seconds {
			break
		}
		path := "buy"
		if choice.Float64() < o.stockShare {
			path = "stock"
		}
		url := fmt.Sprintf("%s/%s/i%d", o.target, path, choice.IntN(catalogue.Items))
		time.Sleep(due - time.Since(start))
		select {
		case places <- struct{}{}:
		default:
			result.GivenUp++
			continue
		}
		open.Add(1)
		go func() {
			defer open.Done()
			late := time.Since(start) - due
			ok := get(client, url)
			<-places
			mutex.Lock()
			samples = append(samples, sample{latency: time.Since(start) - due, late: late, ok: ok})
			mutex.Unlock()
		}()
	}
	open.Wait()
	return result.add(samples)
}

func get(client *http.Client, url string) bool {
	response, err := client.Get(url)
	if err != nil {
		return false
	}
	defer response.Body.Close()
	_, err = io.Copy(io.Discard, response.Body)
	return err == nil && response.StatusCode == http.StatusOK
}

func (r report) add(samples []sample) report {
	latencies := make([]time.Duration, len(samples))
	late := make([]time.Duration, len(samples))
	for i, sample := range samples {
		latencies[i], late[i] = sample.latency, sample.late
		if sample.ok {
			r.OK++
		} else {
			r.Failed++
		}
	}
	r.Sent = len(samples)
	r.P50Ms, r.P99Ms, r.MaxMs = quantile(latencies, 0.5), quantile(latencies, 0.99), quantile(latencies, 1)
	r.LateMs = quantile(late, 0.99)
	return r
}

func quantile(values []time.Duration, q float64) float64 {
	if len(values) == 0 {
		return 0
	}
	slices.Sort(values)
	return float64(values[int(q*float64(len(values)-1))]) / float64(time.Millisecond)
}
