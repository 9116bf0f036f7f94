package tailspan

import (
	"math"
	"math/bits"
	"sync"
	"time"
)

// chooser says which requests deserve evidence: those above a quantile of their operation's recent durations, and a few of all.
// Until an operation has a threshold, all of its requests, unless none are to be sampled: the first ones run cold, and are often
// the slowest there will be.
type chooser struct {
	quantile float64
	sampler  sampler

	mu         sync.Mutex
	operations map[string]*durations
	others     durations
}

func newChooser(quantile, samplesPerSec float64) *chooser {
	return &chooser{quantile: quantile, sampler: sampler{perSec: samplesPerSec}, operations: map[string]*durations{}}
}

func (c *chooser) choose(operation string, duration time.Duration) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	row := c.operations[operation]
	if row == nil {
		row = &c.others
		if len(c.operations) < operationsMax {
			row = &durations{}
			c.operations[operation] = row
		}
	}
	chosen := row.above(duration.Nanoseconds()) || row.threshold == 0 && c.sampler.perSec > 0
	row.observe(duration.Nanoseconds(), c.quantile)
	return chosen || c.sampler.take(time.Now())
}

// sampler is a bucket of one token and a bit.
type sampler struct {
	perSec float64
	saved  float64
	last   time.Time
}

func (s *sampler) take(now time.Time) bool {
	if s.perSec == 0 {
		return false
	}
	if s.last.IsZero() {
		s.saved = 1
	} else {
		s.saved = min(max(1, s.perSec), s.saved+s.perSec*now.Sub(s.last).Seconds())
	}
	s.last = now
	if s.saved < 1 {
		return false
	}
	s.saved--
	return true
}

const (
	durationBuckets = 320
	// perOctave buckets: a threshold is right within an eighth of itself.
	perOctave = 8
	// smallestBits: durations up to 2^9 ns share the first buckets.
	smallestBits = 9
	// rethinkEvery observations the threshold moves.
	rethinkEvery = 32
	// observationsMin before there is a threshold.
	observationsMin = 64
	// observationsMax: then every count is halved, so that the past fades.
	observationsMax = 4096
)

// durations is a moving histogram of one operation, logarithmic from 0.5 microseconds to 9 minutes.
type durations struct {
	counts    [durationBuckets]uint32
	total     uint32
	threshold int64
	untilNext int
}

func (d *durations) above(ns int64) bool { return d.threshold > 0 && ns > d.threshold }

func (d *durations) observe(ns int64, quantile float64) {
	d.counts[bucketOf(ns)]++
	d.total++
	if d.untilNext--; d.untilNext > 0 {
		return
	}
	d.untilNext = rethinkEvery
	if d.total < observationsMin {
		return
	}
	d.threshold = d.at(quantile)
	if d.total >= observationsMax {
		d.halve()
	}
}

func (d *durations) at(quantile float64) int64 {
	rank := quantile * float64(d.total)
	below := 0.0
	for i, count := range d.counts {
		if count > 0 && below+float64(count) >= rank {
			low, high := boundOf(i), boundOf(i+1)
			return int64(low + (high-low)*(rank-below)/float64(count))
		}
		below += float64(count)
	}
	return math.MaxInt64
}

func (d *durations) halve() {
	d.total = 0
	for i := range d.counts {
		d.counts[i] /= 2
		d.total += d.counts[i]
	}
}

func bucketOf(ns int64) int {
	if ns < 1<<smallestBits {
		return 0
	}
	octave := bits.Len64(uint64(ns)) - 1
	within := int(ns>>(octave-3)) & (perOctave - 1)
	return min((octave-smallestBits)*perOctave+within+1, durationBuckets-1)
}

// boundOf is the lower bound of a bucket, in nanoseconds.
func boundOf(bucket int) float64 {
	if bucket == 0 {
		return 0
	}
	octave, within := (bucket-1)/perOctave+smallestBits, (bucket-1)%perOctave
	return math.Ldexp(1+float64(within)/perOctave, octave)
}
