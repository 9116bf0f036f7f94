package tailspan

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

func TestAboutTheSlowestShareIsChosen(t *testing.T) {
	for _, quantile := range []float64{0.9, 0.95, 0.99} {
		c := newChooser(quantile, 0)
		random := rand.New(rand.NewPCG(1, 1))
		chosen, seen := 0, 0
		for i := range 50_000 {
			duration := time.Duration(float64(time.Millisecond) * random.ExpFloat64())
			if c.choose("op", duration) && i > 5000 {
				chosen++
			}
			if i > 5000 {
				seen++
			}
		}
		share := float64(chosen) / float64(seen)
		if want := 1 - quantile; share < want*0.7 || share > want*1.4 {
			t.Errorf("quantile %v: %.4f of all were chosen", quantile, share)
		}
	}
}

func TestTheThresholdFollowsTheTraffic(t *testing.T) {
	var d durations
	for range 5000 {
		d.observe(int64(time.Millisecond), 0.95)
	}
	if d.above(int64(1100*time.Microsecond)) != true || d.above(int64(900*time.Microsecond)) {
		t.Errorf("threshold %v for durations of 1 ms", time.Duration(d.threshold))
	}
	for range 50_000 {
		d.observe(int64(10*time.Millisecond), 0.95)
	}
	if !d.above(int64(12*time.Millisecond)) || d.above(int64(8*time.Millisecond)) {
		t.Errorf("threshold %v after durations of 10 ms", time.Duration(d.threshold))
	}
}

func TestAllAreChosenUntilThereIsAThreshold(t *testing.T) {
	c := newChooser(0.95, 1e-9)
	c.sampler.take(time.Now())
	for i := range observationsMin - 1 {
		if !c.choose("op", time.Duration(observationsMin-i)*time.Second) {
			t.Fatalf("request %d was not chosen", i)
		}
	}
	for range 2 * rethinkEvery {
		c.choose("op", time.Second)
	}
	if c.choose("op", time.Second) {
		t.Error("a fast request was chosen after there was a threshold")
	}
}

func TestOperationsAreBounded(t *testing.T) {
	c := newChooser(0.95, 0)
	for i := range 10 * operationsMax {
		c.choose(string(rune(i))+"op", time.Millisecond)
	}
	if len(c.operations) != operationsMax || c.others.total == 0 {
		t.Errorf("%d operations, %d in the shared row", len(c.operations), c.others.total)
	}
}

func TestBucketsCoverEveryDuration(t *testing.T) {
	last := 0
	for ns := int64(1); ns > 0 && ns < 1<<62; ns += ns/16 + 1 {
		bucket := bucketOf(ns)
		if bucket < last || bucket >= durationBuckets {
			t.Fatalf("%d ns is in bucket %d after %d", ns, bucket, last)
		}
		if bucket > 0 && bucket < durationBuckets-1 && (float64(ns) < boundOf(bucket) || float64(ns) >= boundOf(bucket+1)) {
			t.Fatalf("%d ns is in bucket %d, from %v to %v", ns, bucket, boundOf(bucket), boundOf(bucket+1))
		}
		last = bucket
	}
}

func TestSamplesComeAtTheirRate(t *testing.T) {
	s := sampler{perSec: 5}
	now, taken := time.Unix(0, 0), 0
	for range 10_000 {
		now = now.Add(time.Millisecond)
		if s.take(now) {
			taken++
		}
	}
	if taken < 49 || taken > 51 {
		t.Errorf("%d samples in 10 s at 5 a second", taken)
	}
	if none := (sampler{}); slices.ContainsFunc(make([]int, 100), func(int) bool { return none.take(now) }) {
		t.Error("a rate of 0 gave a sample")
	}
}

func TestABudgetIsPaidBack(t *testing.T) {
	now := time.Unix(0, 0)
	b := newBudget(0.02, 100*time.Millisecond, now)
	if !b.allows(now) {
		t.Fatal("a new budget has nothing")
	}
	b.spend(300*time.Millisecond, now)
	if b.allows(now.Add(9900 * time.Millisecond)) {
		t.Error("200 ms of debt were paid back in 9.9 s at 2 %")
	}
	if !b.allows(now.Add(10100 * time.Millisecond)) {
		t.Error("200 ms of debt were not paid back in 10.1 s at 2 %")
	}
	if b.allows(now.Add(time.Hour)); b.saved != 100*time.Millisecond {
		t.Errorf("%v saved up, beyond the burst", b.saved)
	}
}
