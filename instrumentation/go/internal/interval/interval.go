// Package interval holds the little arithmetic on time that evidence needs: unions, remainders and overlaps, in integer nanoseconds.
package interval

import (
	"cmp"
	"slices"
)

// Interval is [Start, End); empty where End <= Start.
type Interval struct {
	Start, End int64
}

// Length is never negative.
func (i Interval) Length() int64 { return max(0, i.End-i.Start) }

// Clip cuts i to what lies inside within.
func (i Interval) Clip(within Interval) Interval {
	return Interval{max(i.Start, within.Start), min(i.End, within.End)}
}

// Set is sorted, disjoint and free of empty intervals.
type Set []Interval

// Union sorts and joins; touching intervals become one. The argument is not changed.
func Union(parts []Interval) Set {
	sorted := make(Set, 0, len(parts))
	for _, part := range parts {
		if part.Length() > 0 {
			sorted = append(sorted, part)
		}
	}
	slices.SortFunc(sorted, func(a, b Interval) int { return cmp.Compare(a.Start, b.Start) })
	joined := sorted[:0]
	for _, part := range sorted {
		if last := len(joined) - 1; last >= 0 && part.Start <= joined[last].End {
			joined[last].End = max(joined[last].End, part.End)
		} else {
			joined = append(joined, part)
		}
	}
	return joined
}

// Without is what of whole no interval of the set covers.
func Without(whole Interval, covered Set) Set {
	rest := make(Set, 0, len(covered)+1)
	for _, part := range covered {
		if free := (Interval{whole.Start, min(part.Start, whole.End)}); free.Length() > 0 {
			rest = append(rest, free)
		}
		whole.Start = max(whole.Start, part.End)
	}
	if whole.Length() > 0 {
		rest = append(rest, whole)
	}
	return rest
}

// Total is the length of all intervals together.
func (s Set) Total() (sum int64) {
	for _, part := range s {
		sum += part.Length()
	}
	return sum
}

// Each calls visit for every non-empty piece of the set inside within, in order of time.
func (s Set) Each(within Interval, visit func(Interval)) {
	first, _ := slices.BinarySearchFunc(s, within.Start, func(part Interval, start int64) int { return cmp.Compare(part.End, start) })
	for _, part := range s[first:] {
		if part.Start >= within.End {
			return
		}
		if piece := part.Clip(within); piece.Length() > 0 {
			visit(piece)
		}
	}
}

// Overlap is how much of within the set covers.
func (s Set) Overlap(within Interval) (sum int64) {
	s.Each(within, func(piece Interval) { sum += piece.Length() })
	return sum
}
