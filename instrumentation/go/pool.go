package tailspan

import (
	"container/list"
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/otel/trace"

	"github.com/tailspan/tailspan/instrumentation/go/internal/mark"
)

var (
	// ErrPoolFull is returned when as many items wait as the pool allows.
	ErrPoolFull = errors.New("tailspan: the pool's queue is full")
	// ErrPoolClosed is returned once Close was called.
	ErrPoolClosed = errors.New("tailspan: the pool is closed")
)

// Pool runs functions on a fixed number of goroutines, first come first served. The span of an item's context gets the time that
// the item waited while all workers were busy as queue wait, exactly, whether or not its request is chosen for evidence; and where
// it is, what the worker did for the item counts as the span's own running, scheduling and gc.
type Pool struct {
	queueMax int
	workers  sync.WaitGroup

	mu     sync.Mutex
	queue  list.List // of *item
	idle   []chan *item
	closed bool
}

// item is one function on its way through the pool.
type item struct {
	ctx       context.Context
	run       func(context.Context)
	submitted time.Time
	// waited is the end of the wait, where there was one.
	waited   time.Time
	queued   bool
	done     chan struct{}
	panicked any
	mark     mark.Mark
	marked   bool
}

var itemNumbers atomic.Uint64

// NewPool starts so many workers. When they are all busy up to queueMax items wait; more are refused. It panics below one worker.
func NewPool(workers, queueMax int) *Pool {
	if workers < 1 {
		panic("tailspan: a pool needs at least one worker")
	}
	p := &Pool{queueMax: queueMax}
	p.workers.Add(workers)
	for range workers {
		go p.work(p.newIdle())
	}
	return p
}

// newIdle is the inbox of a worker that counts as idle before its goroutine ran for the first time: if that takes long, it is scheduling.
func (p *Pool) newIdle() chan *item {
	// Room for one, so that handing an item over never waits.
	inbox := make(chan *item, 1)
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed && p.queue.Len() == 0 {
		close(inbox)
		return inbox
	}
	if first := p.queue.Front(); first != nil {
		inbox <- p.takeFirst(first)
		return inbox
	}
	p.idle = append(p.idle, inbox)
	return inbox
}

// Do runs fn on a worker and returns when it has ended. If ctx ends while the item waits, fn is not run and ctx.Err() is returned;
// once fn runs, ending early is up to fn. A panic of fn is raised again here.
func (p *Pool) Do(ctx context.Context, fn func(context.Context)) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	one := newItem(ctx, fn)
	place, err := p.submit(one)
	if err != nil {
		return err
	}
	select {
	case <-one.done:
	case <-ctx.Done():
		if p.withdraw(place) {
			RecordQueueWait(ctx, one.submitted, time.Now())
			return ctx.Err()
		}
		<-one.done
	}
	if one.panicked != nil {
		panic(one.panicked)
	}
	return nil
}

// Go hands fn to the pool and returns at once. Its queue wait counts for the span of ctx if that is still open when fn begins.
// A panic of fn ends the process, as in any goroutine.
func (p *Pool) Go(ctx context.Context, fn func(context.Context)) error {
	one := newItem(ctx, fn)
	one.done = nil
	one.log(mark.Submit)
	_, err := p.submit(one)
	return err
}

// Waiting is how many items wait for a worker now.
func (p *Pool) Waiting() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.queue.Len()
}

// Close refuses new items, lets those that wait run, and returns when all workers have ended.
func (p *Pool) Close() {
	p.mu.Lock()
	if !p.closed {
		p.closed = true
		for _, inbox := range p.idle {
			close(inbox)
		}
		p.idle = nil
	}
	p.mu.Unlock()
	p.workers.Wait()
}

func newItem(ctx context.Context, fn func(context.Context)) *item {
	one := &item{ctx: ctx, run: fn, submitted: time.Now(), done: make(chan struct{})}
	id := trace.SpanFromContext(ctx).SpanContext().SpanID()
	if place, found := live.get(id); found && place.request.owner.recorder.on.Load() {
		one.marked = true
		one.mark = mark.Mark{Span: id, Trace: place.request.traceID, Item: itemNumbers.Add(1)}
	}
	return one
}

func (i *item) log(kind mark.Kind) {
	if i.marked {
		i.mark.Kind = kind
		i.mark.Log()
	}
}

// submit gives the item to an idle worker or puts it in line; place is its place there.
func (p *Pool) submit(one *item) (place *list.Element, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return nil, ErrPoolClosed
	}
	if last := len(p.idle) - 1; last >= 0 {
		p.idle[last] <- one
		p.idle = p.idle[:last]
		return nil, nil
	}
	if p.queue.Len() >= p.queueMax {
		return nil, ErrPoolFull
	}
	one.queued = true
	return p.queue.PushBack(one), nil
}

// withdraw takes an item out of the line; false if a worker already has it.
func (p *Pool) withdraw(place *list.Element) bool {
	if place == nil {
		return false
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	one := place.Value.(*item)
	if !one.queued {
		return false
	}
	one.queued = false
	p.queue.Remove(place)
	return true
}

func (p *Pool) work(inbox chan *item) {
	ended := false
	defer func() {
		if !ended {
			// The item called runtime.Goexit, as a failing test does: the worker's place is not lost.
			go p.work(p.newIdle())
			return
		}
		p.workers.Done()
	}()
	for one := range inbox {
		for one != nil {
			one.execute()
			one = p.nextOrIdle(inbox)
		}
	}
	ended = true
}

// nextOrIdle is the item that waits longest; nil when none does, and the inbox is where the next will come.
func (p *Pool) nextOrIdle(inbox chan *item) *item {
	p.mu.Lock()
	defer p.mu.Unlock()
	if first := p.queue.Front(); first != nil {
		return p.takeFirst(first)
	}
	if p.closed {
		close(inbox)
	} else {
		p.idle = append(p.idle, inbox)
	}
	return nil
}

// takeFirst takes an item out of the line for a worker: its wait is over. Callers hold mu.
func (p *Pool) takeFirst(first *list.Element) *item {
	one := p.queue.Remove(first).(*item)
	one.queued = false
	one.waited = time.Now()
	return one
}

func (i *item) execute() {
	if !i.waited.IsZero() {
		RecordQueueWait(i.ctx, i.submitted, i.waited)
	}
	i.log(mark.Run)
	if i.done == nil {
		i.run(i.ctx)
		return
	}
	defer func() {
		i.panicked = recover()
		close(i.done)
	}()
	i.run(i.ctx)
}
