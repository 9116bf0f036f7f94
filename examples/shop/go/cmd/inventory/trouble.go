package main

import (
	"context"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/otel"

	"tailspan/shop/internal/causes"
	"tailspan/shop/internal/stock"
	"tailspan/shop/internal/workers"
)

const (
	// Batch jobs that wait in front of a request, per worker; each takes batchLeast to batchMost.
	batchAhead = 4
	batchLeast = 8 * time.Millisecond
	batchMost  = 16 * time.Millisecond
	// Reports hold every connection of the pool for so long, then let others in.
	reportLeast = 40 * time.Millisecond
	reportMost  = 80 * time.Millisecond
	reportPause = 15 * time.Millisecond
	// hogs are more goroutines than there are processors, so that a ready goroutine waits for several turns of 10 ms.
	hogs = 5
	// tightGC starts a collection when the heap has grown by so many percent; the less, the more an allocation has to mark.
	tightGC      = 5
	garbageNodes = 120_000
	// Of the calls in an episode, in percent, those that compute or allocate, one at a time: more would want more processors
	// than there are, and everybody's wait for those would be the cause.
	burnShare    = 8
	garbageShare = 8
	burnLeast    = 30 * time.Millisecond
	burnMost     = 80 * time.Millisecond
	// Likewise those whose query is slow: more would hold all connections.
	dependencyShare = 50
	// hangShare is for causes where another try should do better.
	hangShare   = 30
	refuseShare = 15
	slowLeast   = 40 * time.Millisecond
	slowMost    = 120 * time.Millisecond
	slowShard   = 2
)

// trouble has the causes of inventory. Each is off until its episode is switched on.
type trouble struct {
	pool  *workers.Pool
	items *stock.Stock

	// busy while one call computes or allocates.
	busy atomic.Bool

	burn, dependency, sleep, retry, hedge, straggler, gc *causes.Cause

	// live is what the collector has to mark each time.
	live []*node
}

func newTrouble(board *causes.Switchboard, pool *workers.Pool, items *stock.Stock, liveNodes int) *trouble {
	t := &trouble{pool: pool, items: items, live: make([]*node, liveNodes)}
	for i := range t.live {
		t.live[i] = &node{}
	}
	board.Register("queue", func(length time.Duration) { go t.fillQueue(length) })
	board.Register("db-pool", func(length time.Duration) { go t.holdConnections(length) })
	board.Register("starve", func(length time.Duration) {
		for range hogs {
			go causes.Burn(length)
		}
	})
	t.gc = board.Register("gc", t.pressGC)
	t.burn = board.Register("burn", nil)
	t.dependency = board.Register("slow-dependency", nil)
	t.sleep = board.Register("sleep", nil)
	t.retry = board.Register("retry", nil)
	t.hedge = board.Register("hedge", nil)
	t.straggler = board.Register("straggler", nil)
	return t
}

// work is what a request suffers on its worker before it comes to the database.
func (t *trouble) work(shard int32) {
	if t.burn.Active() && causes.Chance(burnShare) {
		t.alone(func() { causes.Burn(causes.Between(burnLeast, burnMost)) })
	}
	if t.gc.Active() && causes.Chance(garbageShare) {
		t.alone(makeGarbage)
	}
	// A call that hangs: the caller gives up and retries, asks a second time beside it, or waits for this shard alone.
	hangs := t.sleep.Active() || t.straggler.Active() && shard == slowShard
	if hangs || (t.retry.Active() || t.hedge.Active()) && causes.Chance(hangShare) {
		time.Sleep(causes.Between(slowLeast, slowMost))
	}
}

// alone does it unless another call is at it.
func (t *trouble) alone(do func()) {
	if t.busy.CompareAndSwap(false, true) {
		defer t.busy.Store(false)
		do()
	}
}

// refuses tells of a call that is turned away at the door, as one is by a server that sheds load.
func (t *trouble) refuses() bool { return t.retry.Active() && causes.Chance(refuseShare) }

// slowQuery is how long the far side of the next query sleeps.
func (t *trouble) slowQuery() time.Duration {
	if t.dependency.Active() && causes.Chance(dependencyShare) {
		return causes.Between(slowLeast, slowMost)
	}
	return 0
}

// fillQueue keeps the workers busy with a batch, and more of it waiting than they can take.
func (t *trouble) fillQueue(length time.Duration) {
	tracer := otel.Tracer("tailspan/shop/batch")
	for end := time.Now().Add(length); time.Now().Before(end); time.Sleep(time.Millisecond) {
		for range batchAhead*poolWorkers - t.pool.Waiting() {
			go func() {
				_ = t.pool.Do(context.Background(), func(ctx context.Context) {
					_, span := tracer.Start(ctx, "restock")
					defer span.End()
					time.Sleep(causes.Between(batchLeast, batchMost))
				})
			}()
		}
	}
}

// holdConnections takes every connection for slow reports, again and again.
func (t *trouble) holdConnections(length time.Duration) {
	tracer := otel.Tracer("tailspan/shop/batch")
	for end := time.Now().Add(length); time.Now().Before(end); time.Sleep(reportPause) {
		held := causes.Between(reportLeast, reportMost)
		var reports sync.WaitGroup
		for range stock.Connections {
			reports.Go(func() {
				ctx, span := tracer.Start(context.Background(), "report")
				defer span.End()
				if err := t.items.Hold(ctx, held); err != nil {
					span.RecordError(err)
				}
			})
		}
		reports.Wait()
	}
}

type node struct {
	next    *node
	payload [5]uint64
}

// pressGC collects far too often for an episode. What makes it hurt is the live heap, which is there all the time.
func (t *trouble) pressGC(length time.Duration) {
	before := debug.SetGCPercent(tightGC)
	time.AfterFunc(length, func() { debug.SetGCPercent(before) })
}

// garbage keeps the compiler from leaving the allocations out.
var garbage atomic.Pointer[node]

func makeGarbage() {
	var list *node
	for range garbageNodes {
		list = &node{next: list}
	}
	garbage.Store(list)
}
