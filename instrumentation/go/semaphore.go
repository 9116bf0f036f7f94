package tailspan

import (
	"container/list"
	"context"
	"sync"
	"time"
)

// Semaphore bounds how many may do something at once, first come first served, and records on the span of the context how
// long each waited for its turn. A wait ends when the turn is given, so that being slow to run afterward counts as scheduling.
type Semaphore struct {
	mu      sync.Mutex
	places  int
	taken   int
	waiters list.List // of *turn
}

// turn is one waiter's place in the line.
type turn struct {
	given time.Time
	ready chan struct{}
}

// NewSemaphore returns a semaphore with so many places. It panics below 1.
func NewSemaphore(places int) *Semaphore {
	if places < 1 {
		panic("tailspan: a semaphore needs at least one place")
	}
	return &Semaphore{places: places}
}

// TryAcquire takes a place if one is free. Nobody waits then.
func (s *Semaphore) TryAcquire() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.taken == s.places {
		return false
	}
	s.taken++
	return true
}

// Acquire takes a place, or waits for one until ctx is done; then it returns ctx.Err() and no place is taken.
func (s *Semaphore) Acquire(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if s.TryAcquire() {
		return nil
	}
	from := time.Now()
	mine := &turn{ready: make(chan struct{})}
	s.mu.Lock()
	if s.taken < s.places {
		s.taken++
		s.mu.Unlock()
		return nil
	}
	place := s.waiters.PushBack(mine)
	s.mu.Unlock()
	select {
	case <-mine.ready:
		RecordQueueWait(ctx, from, mine.given)
		return nil
	case <-ctx.Done():
		s.leave(place, mine)
		RecordQueueWait(ctx, from, time.Now())
		return ctx.Err()
	}
}

// leave gives up a place in the line; a turn that was given at the same moment goes to the next.
func (s *Semaphore) leave(place *list.Element, mine *turn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if mine.given.IsZero() {
		s.waiters.Remove(place)
		return
	}
	s.giveOn()
}

// Release gives a place back. It panics when no place is taken.
func (s *Semaphore) Release() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.taken == 0 {
		panic("tailspan: a semaphore was released more often than acquired")
	}
	s.giveOn()
}

// giveOn hands a taken place to the first in line, if there is one. Callers hold mu.
func (s *Semaphore) giveOn() {
	first := s.waiters.Front()
	if first == nil {
		s.taken--
		return
	}
	next := s.waiters.Remove(first).(*turn)
	next.given = time.Now()
	close(next.ready)
}

// Waiting is how many wait for a turn now.
func (s *Semaphore) Waiting() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.waiters.Len()
}
