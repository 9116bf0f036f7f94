package tailspan

import "time"

// budget is CPU time saved up at a fixed share of one core. An analysis may overdraw it; the next waits until it is paid back.
type budget struct {
	share float64
	burst time.Duration
	saved time.Duration
	last  time.Time
}

func newBudget(share float64, burst time.Duration, now time.Time) budget {
	return budget{share: share, burst: burst, saved: burst, last: now}
}

func (b *budget) allows(now time.Time) bool {
	b.earn(now)
	return b.saved > 0
}

func (b *budget) spend(cpu time.Duration, now time.Time) {
	b.earn(now)
	b.saved -= cpu
}

func (b *budget) earn(now time.Time) {
	if passed := now.Sub(b.last); passed > 0 {
		b.saved = min(b.burst, b.saved+time.Duration(float64(passed)*b.share))
		b.last = now
	}
}

// pacer lets one analysis work in slices with rests between them, so that it never holds a processor against requests for long.
// On a busy process a rest lasts longer than asked, and so does a slice: while it waits for a processor it takes none from anybody,
// which counts as rest.
type pacer struct {
	p        *SpanProcessor
	deadline time.Time
	slice    time.Time
	sliceCPU time.Duration
	cpu      time.Duration
	rested   time.Duration
	owed     time.Duration
}

const (
	// sliceFor is the length of one slice of work.
	sliceFor = time.Millisecond
	// restMax is the longest rest, and the most that later slices are spared.
	restMax = 50 * time.Millisecond
)

func newPacer(p *SpanProcessor) *pacer {
	return &pacer{p: p, deadline: time.Now().Add(p.settings.hold)}
}

// begin is called on the locked thread that does the work.
func (w *pacer) begin() {
	w.cpu = threadCPU()
	w.sliceCPU = w.cpu
	w.slice = time.Now()
}

// check rests when a slice is over; false asks the work to end.
func (w *pacer) check() bool {
	if w.p.abandoned.Load() {
		return false
	}
	now := time.Now()
	worked := now.Sub(w.slice)
	if worked < sliceFor {
		return true
	}
	w.slice = now
	if w.p.hurrying.Load() > 0 {
		return true
	}
	if now.After(w.deadline) {
		return false
	}
	cpu := threadCPU()
	took := min(worked, cpu-w.sliceCPU)
	w.sliceCPU = cpu
	w.owed = max(-restMax, w.owed+time.Duration(float64(took)*(1/analysisDuty-1))-(worked-took))
	if w.owed > 0 {
		w.rest()
	}
	return true
}

func (w *pacer) rest() {
	began := w.slice
	time.Sleep(min(w.owed, restMax))
	w.slice = time.Now()
	rested := w.slice.Sub(began)
	w.rested += rested
	w.owed = max(-restMax, w.owed-rested)
}

// spent is the CPU time since begin.
func (w *pacer) spent() time.Duration {
	spent := threadCPU() - w.cpu
	if cpuIsWall {
		spent -= w.rested
	}
	return spent
}
