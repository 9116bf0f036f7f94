// Package arrivals says when requests come: a Poisson process whose rate rises in bursts, the same for the same seed.
package arrivals

import (
	"math/rand/v2"
	"time"
)

// Plan is what decides a schedule.
type Plan struct {
	Seed uint64
	// Rate is requests a second outside of bursts.
	Rate float64
	// BurstEvery is the mean time from one burst's end to the next one's start; 0 has none.
	BurstEvery  time.Duration
	BurstLength time.Duration
	// BurstFactor is how many times the rate a burst has.
	BurstFactor float64
}

// Schedule hands out the times of a plan, from the start of the run.
type Schedule struct {
	plan       Plan
	random     *rand.Rand
	now        float64
	burstStart float64
}

// NewSchedule starts at time 0.
func NewSchedule(plan Plan) *Schedule {
	schedule := &Schedule{plan: plan, random: rand.New(rand.NewPCG(plan.Seed, 0x5ca1ab1e))}
	schedule.planBurst(0)
	return schedule
}

func (s *Schedule) planBurst(from float64) {
	s.burstStart = from + s.random.ExpFloat64()*s.plan.BurstEvery.Seconds()
}

// Next is when the next request is due. The process has no memory, so that the rest of a gap is drawn anew where the rate changes.
func (s *Schedule) Next() time.Duration {
	for {
		rate, until := s.rateNow()
		gap := s.random.ExpFloat64() / rate
		if until == 0 || s.now+gap < until {
			s.now += gap
			return time.Duration(s.now * float64(time.Second))
		}
		s.now = until
	}
}

// rateNow is the rate of requests, and until when it holds; 0 is for ever.
func (s *Schedule) rateNow() (rate, until float64) {
	if s.plan.BurstEvery == 0 {
		return s.plan.Rate, 0
	}
	burstEnd := s.burstStart + s.plan.BurstLength.Seconds()
	if s.now >= burstEnd {
		s.planBurst(burstEnd)
		return s.rateNow()
	}
	if s.now >= s.burstStart {
		return s.plan.Rate * s.plan.BurstFactor, burstEnd
	}
	return s.plan.Rate, s.burstStart
}
