package arrivals

import (
	"math"
	"testing"
	"time"
)

func times(plan Plan, until time.Duration) []time.Duration {
	schedule := NewSchedule(plan)
	var all []time.Duration
	for at := schedule.Next(); at < until; at = schedule.Next() {
		all = append(all, at)
	}
	return all
}

var bursty = Plan{Seed: 7, Rate: 100, BurstEvery: 3 * time.Second, BurstLength: 150 * time.Millisecond, BurstFactor: 4}

func TestASeedGivesTheSameScheduleAndAnotherAnother(t *testing.T) {
	first, again := times(bursty, time.Minute), times(bursty, time.Minute)
	if len(first) != len(again) {
		t.Fatalf("%d and %d", len(first), len(again))
	}
	for i := range first {
		if first[i] != again[i] {
			t.Fatalf("request %d at %v and %v", i, first[i], again[i])
		}
	}
	other := bursty
	other.Seed++
	if times(other, time.Minute)[0] == first[0] {
		t.Error("another seed, the same first request")
	}
}

func TestALongerRunBeginsLikeAShorterOne(t *testing.T) {
	short, long := times(bursty, 10*time.Second), times(bursty, time.Minute)
	for i := range short {
		if short[i] != long[i] {
			t.Fatalf("request %d", i)
		}
	}
}

// A Poisson process of mean n has standard deviation sqrt(n), and gaps as spread as they are long.
func TestWithoutBurstsItIsAPoissonProcess(t *testing.T) {
	for seed := range uint64(20) {
		all := times(Plan{Seed: seed, Rate: 100}, 100*time.Second)
		if got := float64(len(all)); math.Abs(got-10_000) > 5*100 {
			t.Errorf("seed %d: %v requests in 100 s of 100 a second", seed, got)
		}
		var sum, squares float64
		for i := 1; i < len(all); i++ {
			gap := (all[i] - all[i-1]).Seconds()
			if gap < 0 {
				t.Fatalf("seed %d: request %d comes before the one before", seed, i)
			}
			sum += gap
			squares += gap * gap
		}
		mean := sum / float64(len(all)-1)
		spread := math.Sqrt(squares/float64(len(all)-1)-mean*mean) / mean
		if math.Abs(spread-1) > 0.06 {
			t.Errorf("seed %d: gaps spread %v times their mean", seed, spread)
		}
	}
}

func TestBurstsHaveTheirRate(t *testing.T) {
	plan := bursty
	var total float64
	const seeds = 20
	for seed := range uint64(seeds) {
		plan.Seed = seed
		total += float64(len(times(plan, 200*time.Second)))
	}
	// Of 3.15 s, 0.15 have four times the rate.
	want := seeds * 200 * (3*100 + 0.15*400) / 3.15
	if math.Abs(total-want) > 0.03*want {
		t.Errorf("%v requests, expected about %v", total, want)
	}
}
