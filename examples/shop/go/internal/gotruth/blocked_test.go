package gotruth

import (
	"testing"

	"golang.org/x/exp/trace"

	"tailspan/shop/internal/truthmark"
)

const (
	caller trace.GoID = 1 + iota
	connReader
	stranger
	ender
)

// A call from 0 to 120 whose carrier waits from 0 to 100, when the reader of the connection wakes it.
func callAwoken(kind int, readers, strangers []change) Truth {
	recording := &Recording{
		clocks: []clock{{trace: 0, unix: 1}},
		goroutines: map[trace.GoID]*goroutine{
			caller: {changes: []change{
				{at: -50, state: trace.GoRunning, by: noGoroutine},
				{at: 0, state: trace.GoWaiting, by: noGoroutine},
				{at: 100, state: trace.GoRunnable, by: connReader},
				{at: 110, state: trace.GoRunning, by: noGoroutine},
			}},
			connReader: {changes: readers},
			stranger:   {changes: strangers},
		},
	}
	span := &Span{TraceID: "t", SpanID: "s", Kind: kind, StartUnix: 1, EndUnix: 121}
	span.marks = []mark{{at: 0, goid: caller, category: truthmark.Start}}
	recording.Spans = []*Span{span}
	return recording.Fold(nil)[0]
}

func TestAReaderIsLateFromItsLastWaitOn(t *testing.T) {
	readers := []change{
		{at: -10, state: trace.GoWaiting, by: noGoroutine},
		// For somebody else.
		{at: 50, state: trace.GoRunnable, by: stranger},
		{at: 60, state: trace.GoRunning, by: noGoroutine},
		{at: 65, state: trace.GoWaiting, by: noGoroutine},
		// The network has the answer.
		{at: 80, state: trace.GoRunnable, by: noGoroutine},
		{at: 95, state: trace.GoRunning, by: noGoroutine},
	}
	strangers := []change{
		{at: -20, state: trace.GoRunning, by: noGoroutine},
		{at: 70, state: trace.GoRunnable, by: noGoroutine},
	}
	// Its own 100-110, and the reader's 80-95.
	if got := callAwoken(kindClient, readers, strangers).Self; got[Scheduling] != 25 || got[Downstream] != 95 {
		t.Errorf("as a call: %v", got)
	}
	if got := callAwoken(1, readers, strangers).Self; got[Scheduling] != 25 || got[Unattributed] != 85 || got[Processing] != 10 {
		t.Errorf("as a span of its own: %v", got)
	}
}

func TestAWaitIsFollowedThroughHelpers(t *testing.T) {
	readers := []change{
		{at: -10, state: trace.GoWaiting, by: noGoroutine},
		{at: 90, state: trace.GoRunnable, by: stranger},
		{at: 95, state: trace.GoRunning, by: noGoroutine},
	}
	strangers := []change{
		{at: -20, state: trace.GoWaiting, by: noGoroutine},
		{at: 60, state: trace.GoRunnable, by: noGoroutine},
		{at: 85, state: trace.GoRunning, by: noGoroutine},
	}
	// 100-110, 90-95 and 60-85.
	if got := callAwoken(kindClient, readers, strangers).Self; got[Scheduling] != 40 || got[Downstream] != 80 {
		t.Errorf("%v", got)
	}
}

func TestAReaderThatWasReadyAllTheTimeIsLateAllTheTime(t *testing.T) {
	readers := []change{{at: -30, state: trace.GoRunnable, by: noGoroutine}, {at: 90, state: trace.GoRunning, by: noGoroutine}}
	if got := callAwoken(kindClient, readers, nil).Self; got[Scheduling] != 100 || got[Downstream] != 20 {
		t.Errorf("%v", got)
	}
}

// As a producer's client does it: the writer is made by the caller's helper, the reader by the writer, and the reader ends the span.
func TestASpanThatAnotherGoroutineEndsIsFollowedToWhoMadeThatOne(t *testing.T) {
	recording := &Recording{
		clocks: []clock{{trace: 0, unix: 1}},
		goroutines: map[trace.GoID]*goroutine{
			caller: {wakes: []wake{{at: 10, goid: stranger}}, changes: []change{
				{at: -50, state: trace.GoRunning, by: noGoroutine},
				{at: 12, state: trace.GoWaiting, by: noGoroutine},
			}},
			stranger: {changes: []change{
				{at: 10, state: trace.GoRunnable, by: caller},
				{at: 40, state: trace.GoRunning, by: noGoroutine},
			}},
			connReader: {changes: []change{
				{at: 50, state: trace.GoRunnable, by: stranger},
				{at: 55, state: trace.GoRunning, by: noGoroutine},
				{at: 60, state: trace.GoWaiting, by: noGoroutine},
				{at: 100, state: trace.GoRunnable, by: noGoroutine},
				{at: 115, state: trace.GoRunning, by: noGoroutine},
			}},
			ender: {changes: []change{
				{at: 116, state: trace.GoRunnable, by: connReader},
				{at: 118, state: trace.GoRunning, by: noGoroutine},
			}},
		},
	}
	span := &Span{TraceID: "t", SpanID: "s", Kind: kindProducer, StartUnix: 1, EndUnix: 121}
	span.marks = []mark{{at: 0, goid: caller, category: truthmark.Start}}
	span.end = mark{at: 120, goid: ender, category: truthmark.End}
	recording.Spans = []*Span{span}
	// The ender's 116-118 and the reader's 100-115; and the writer's 12-40, without which nothing was sent.
	if got := recording.Fold(nil)[0].Self; got[Scheduling] != 2+15+28 || got[Downstream] != 120-45 {
		t.Errorf("%v", got)
	}
}
