package tailspan

import (
	"log/slog"
	"time"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/metric"
)

// The bounds that no option moves.
const (
	// liveSpansMax is how many spans may be open at once and be followed; spans beyond pass untouched.
	liveSpansMax = 16_384
	// requestSpansMax is how many spans of one request get evidence; spans beyond pass untouched.
	requestSpansMax = 512
	// waitsMax is how many waits of one span are kept apart; later ones lengthen none, and are counted.
	waitsMax = 256
	// operationsMax is how many operations have a threshold of their own; the others share one.
	operationsMax = 256
	// gatherFor is how long the first slow request waits for others to share its snapshot.
	gatherFor = 200 * time.Millisecond
	// snapshotEvery is the shortest time between two snapshots: each makes the runtime begin a new generation.
	snapshotEvery = time.Second
	// snapshotFactor times MaxBytes is the largest snapshot that is read: the runtime always keeps its last generation, about a second
	// of events, however large.
	snapshotFactor = 4
	// recorderRetry is how often a flight recorder that somebody else holds is asked for again.
	recorderRetry = 30 * time.Second
	// analysisDuty is the largest share of one core that an analysis takes while it runs, budget or not.
	analysisDuty = 0.25
	// budgetBurst is how far the budget may be saved up, in CPU time.
	budgetBurst = 500 * time.Millisecond
)

type settings struct {
	slowQuantile  float64
	samplesPerSec float64
	window        time.Duration
	maxBytes      uint64
	budget        float64
	burst         time.Duration
	hold          time.Duration
	heldMax       int
	// recording is the share of every period in which the recorder runs.
	recording float64
	period    time.Duration
	turns     map[string]bool
	logger    *slog.Logger
	meters    metric.MeterProvider
}

func defaults() settings {
	return settings{
		slowQuantile:  0.95,
		samplesPerSec: 1,
		window:        5 * time.Second,
		maxBytes:      8 << 20,
		budget:        0.02,
		burst:         budgetBurst,
		hold:          5 * time.Second,
		heldMax:       1024,
		recording:     1,
		period:        10 * time.Second,
		turns:         map[string]bool{},
		logger:        slog.Default(),
		meters:        otel.GetMeterProvider(),
	}
}

// Option changes one default of [NewSpanProcessor].
type Option func(*settings)

// WithSlowQuantile chooses requests slower than this quantile of their operation's recent durations (default 0.95, between 0.5 and 0.9999).
func WithSlowQuantile(quantile float64) Option {
	return func(s *settings) { s.slowQuantile = min(max(quantile, 0.5), 0.9999) }
}

// WithSampleRate chooses, beside the slow ones, up to so many requests a second whatever their duration (default 1; 0 for none).
// They show what normal looks like. Of each operation the first 64 are taken as well: until then nobody knows what slow is.
func WithSampleRate(perSecond float64) Option {
	return func(s *settings) { s.samplesPerSec = max(perSecond, 0) }
}

// WithWindow sets how far back the flight recorder reaches (default 5 s). A request longer than that gets no evidence.
func WithWindow(window time.Duration) Option {
	return func(s *settings) { s.window = max(window, 100*time.Millisecond) }
}

// WithMaxBytes caps the flight recorder's memory (default 8 MiB). It wins over the window: on a busy process the window is shorter.
func WithMaxBytes(bytes uint64) Option {
	return func(s *settings) { s.maxBytes = max(bytes, 1<<16) }
}

// WithBudget caps the CPU time that reading traces may take, as a share of one core over time (default 0.02).
// Beyond it fewer requests get evidence; [Stats] counts them.
func WithBudget(share float64) Option {
	return func(s *settings) { s.budget = min(max(share, 0.0001), 1) }
}

// WithRecording lets the flight recorder run for a share of the time only, in turns of ten seconds (default 1, always). Its cost goes
// down by as much, and so does the share of slow requests that get evidence: those that fall into its rests count as not chosen.
func WithRecording(share float64) Option {
	return func(s *settings) { s.recording = min(max(share, 0.01), 1) }
}

// WithHold sets how long a chosen request may wait for its evidence after its end before it is passed on without (default 5 s).
func WithHold(hold time.Duration) Option {
	return func(s *settings) { s.hold = max(hold, gatherFor) }
}

// WithMaxHeld caps how many ended spans are held at once (default 1024, half the default queue of a batch span processor).
// Spans beyond it pass at once, without evidence.
func WithMaxHeld(spans int) Option {
	return func(s *settings) { s.heldMax = max(spans, 1) }
}

// WithQueueWaitFunctions names functions, as the runtime writes them ("example.com/pool.(*Pool).Acquire"), that wait for a turn:
// when a goroutine blocks directly in one, that is queue wait. database/sql, x/sync/semaphore, errgroup's limit, mutexes and
// sends to a full channel are known already.
func WithQueueWaitFunctions(names ...string) Option {
	return func(s *settings) {
		for _, name := range names {
			s.turns[name] = true
		}
	}
}

// WithLogger sets where the one warning goes when the flight recorder is not to be had (default slog.Default()).
func WithLogger(logger *slog.Logger) Option {
	return func(s *settings) { s.logger = logger }
}

// WithMeterProvider sets where the counters of [Stats] are published (default otel.GetMeterProvider()).
func WithMeterProvider(provider metric.MeterProvider) Option {
	return func(s *settings) { s.meters = provider }
}
