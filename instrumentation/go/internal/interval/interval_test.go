package interval

import (
	"math/rand/v2"
	"testing"
)

// TestAgainstCounting compares with sets of single nanoseconds.
func TestAgainstCounting(t *testing.T) {
	for seed := range uint64(500) {
		random := rand.New(rand.NewPCG(seed, 1))
		parts := make([]Interval, random.IntN(8))
		covered := map[int64]bool{}
		for i := range parts {
			start := random.Int64N(100)
			parts[i] = Interval{start, start + random.Int64N(30) - 5}
			for at := parts[i].Start; at < parts[i].End; at++ {
				covered[at] = true
			}
		}
		set := Union(parts)
		if got := set.Total(); got != int64(len(covered)) {
			t.Fatalf("seed %d: union of %v is %d long, want %d", seed, parts, got, len(covered))
		}
		for i := 1; i < len(set); i++ {
			if set[i].Start <= set[i-1].End {
				t.Fatalf("seed %d: %v is not sorted and apart", seed, set)
			}
		}
		whole := Interval{random.Int64N(60), 60 + random.Int64N(60)}
		inside := int64(0)
		for at := range covered {
			if at >= whole.Start && at < whole.End {
				inside++
			}
		}
		if got := set.Overlap(whole); got != inside {
			t.Fatalf("seed %d: overlap of %v with %v is %d, want %d", seed, set, whole, got, inside)
		}
		if got := Without(whole, set).Total(); got != whole.Length()-inside {
			t.Fatalf("seed %d: %v without %v is %d, want %d", seed, whole, set, got, whole.Length()-inside)
		}
	}
}

func TestTheArgumentIsNotChanged(t *testing.T) {
	parts := []Interval{{5, 9}, {1, 6}}
	Union(parts)
	if parts[0] != (Interval{5, 9}) || parts[1] != (Interval{1, 6}) {
		t.Fatalf("%v", parts)
	}
}
