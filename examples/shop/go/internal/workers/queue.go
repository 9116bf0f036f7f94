package workers

import (
	"context"
	"errors"
)

// ErrFull says that the queue had no place left.
var ErrFull = errors.New("worker queue is full")

// Queue runs jobs on a fixed number of goroutines, in the order they came.
type Queue struct {
	jobs chan job
}

type job struct {
	ctx  context.Context
	run  func(context.Context)
	done chan struct{}
}

// NewQueue starts the workers, which live as long as the process.
func NewQueue(size, queued int) *Queue {
	queue := &Queue{jobs: make(chan job, queued)}
	for range size {
		go queue.work()
	}
	return queue
}

// Waiting is how many jobs wait for a worker now.
func (q *Queue) Waiting() int { return len(q.jobs) }

// Do runs the function on a worker and returns when it is done, or ErrFull at once. It does not return early when ctx ends,
// because the worker still uses what the caller gave it; the function sees ctx and can.
func (q *Queue) Do(ctx context.Context, run func(context.Context)) error {
	item := job{ctx: ctx, run: run, done: make(chan struct{})}
	select {
	case q.jobs <- item:
		<-item.done
		return nil
	default:
		return ErrFull
	}
}

func (q *Queue) work() {
	for item := range q.jobs {
		item.run(item.ctx)
		close(item.done)
	}
}
