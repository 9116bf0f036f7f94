package causes

import (
	"math/rand/v2"
	"time"
)

// Burn computes for this long, as time on the wall goes by.
func Burn(length time.Duration) {
	for end := time.Now().Add(length); time.Now().Before(end); {
		spin(10_000)
	}
}

// Compute does a fixed amount of work, the same on any day.
func Compute(rounds int) uint64 { return spin(rounds) }

//go:noinline
func spin(rounds int) uint64 {
	state := uint64(rounds)
	for range rounds {
		state ^= state << 13
		state ^= state >> 7
		state ^= state << 17
	}
	return state
}

// Between is a random length; causes differ from request to request as they do in life.
func Between(least, most time.Duration) time.Duration {
	return least + rand.N(most-least)
}

// Chance is true that many times in a hundred.
func Chance(percent int) bool { return rand.IntN(100) < percent }
