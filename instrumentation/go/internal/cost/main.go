//go:build unix

// Command cost measures what this library costs: CPU seconds per request of an HTTP service, by getrusage, over interleaved pairs
// of runs with and without it. Both sides have the OpenTelemetry SDK and a batch processor; the exporter discards.
//
//	go run ./internal/cost
package main

import (
	"context"
	"flag"
	"fmt"
	"log"
	"os"
	"runtime"
	"runtime/trace"
	"strings"
	"syscall"
	"time"

	tailspan "github.com/tailspan/tailspan/instrumentation/go"
)

// variant is one way to run the service.
type variant struct {
	name    string
	options []tailspan.Option
	// bare runs the flight recorder without this library.
	bare bool
}

var (
	// recorder is what the runtime takes for itself, and the SDK for the tasks that it writes while a trace is taken.
	recorder = variant{"the runtime's flight recorder alone", nil, true}
	// tracing has the recorder on and every span marked, and reads nothing.
	tracing = variant{"recorder and marks", []tailspan.Option{
		tailspan.WithSampleRate(0), tailspan.WithSlowQuantile(0.9999), tailspan.WithBudget(0.0001), tailspan.WithMaxHeld(1),
	}, false}
	// whole is the library as it comes.
	whole = variant{"with evidence (defaults)", []tailspan.Option{}, false}
)

// workload is what one run does.
type workload struct {
	clients, requests int
	work              time.Duration
	driver            *driver
}

func main() {
	pairs := flag.Int("pairs", 40, "interleaved pairs of each comparison")
	requests := flag.Int("requests", 1000, "requests of one run")
	clients := flag.Int("clients", 4, "requests under way at a time")
	work := flag.Int("work", 1000, "microseconds of computing in a request")
	what := flag.String("what", "", "only the comparisons whose name contains this")
	driving := flag.Bool("drive", false, "be the clients (the program starts itself so)")
	flag.Parse()
	if *driving {
		drive()
		return
	}
	calibrate()
	load := workload{*clients, *requests, time.Duration(*work) * time.Microsecond, startDriver()}
	defer load.driver.stop()
	fmt.Printf("%d clients, %v of computing and 4 spans a request, %d pairs of runs of %d requests\n", *clients, load.work, *pairs, *requests)
	for _, v := range []variant{recorder, tracing, whole} {
		if strings.Contains(v.name, *what) {
			compare(v, load, *pairs)
		}
	}
}

// compare runs the pairs, each side first in turn, and prints the mean ratio with its 95 % interval.
func compare(v variant, load workload, pairs int) {
	var ratios, without, with []float64
	var last tailspan.Stats
	for i := range pairs {
		var base, cost float64
		if i%2 == 0 {
			base, _ = measure(load, variant{})
			cost, last = measure(load, v)
		} else {
			cost, last = measure(load, v)
			base, _ = measure(load, variant{})
		}
		without, with, ratios = append(without, base), append(with, cost), append(ratios, cost/base)
		fmt.Fprintf(os.Stderr, "pair %2d: %.1f us without, %.1f us with\n", i+1, base, cost)
	}
	extra := make([]float64, pairs)
	for i := range extra {
		extra[i] = with[i] - without[i]
	}
	fmt.Printf("%s\n", v.name)
	fmt.Printf("  CPU per request without  %s us\n", summarize(without, 1))
	fmt.Printf("  CPU per request with     %s us\n", summarize(with, 1))
	fmt.Printf("  difference               %s us\n", summarize(extra, 1))
	fmt.Printf("  ratio                    %s\n", summarize(ratios, 4))
	if last.Ended == 0 {
		return
	}
	fmt.Printf("  last run: %d of %d spans with evidence, %d snapshots, %d events, %v of CPU to read them\n",
		last.Evidence, last.Ended, last.Snapshots, last.EventsRead, last.AnalysisCPU.Round(time.Millisecond))
}

// measure is one run's CPU time of the whole process per request, in microseconds.
func measure(load workload, v variant) (microseconds float64, stats tailspan.Stats) {
	runtime.GC()
	service := newService(v.options, load.work)
	if v.bare {
		flight := trace.NewFlightRecorder(trace.FlightRecorderConfig{MinAge: 5 * time.Second, MaxBytes: 8 << 20})
		if err := flight.Start(); err != nil {
			log.Fatal(err)
		}
		defer flight.Stop()
	}
	ctx := context.Background()
	load.driver.run(service.server.URL, load.clients, 100)
	before := cpu()
	load.driver.run(service.server.URL, load.clients, load.requests)
	spent := cpu() - before
	if service.processor != nil {
		stats = service.processor.Stats()
		if !stats.Recording {
			log.Fatal("the flight recorder is not ours")
		}
	}
	service.close(ctx)
	return float64(spent.Microseconds()) / float64(load.requests), stats
}

func cpu() time.Duration {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		log.Fatal(err)
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}
