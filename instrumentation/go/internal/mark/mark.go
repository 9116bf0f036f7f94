// Package mark is the language between the span processor, the pool and the reader of the execution trace:
// short messages written with runtime/trace.Log on the goroutine that they speak of.
package mark

import (
	"context"
	"encoding/binary"
	"runtime/trace"
)

// Category of every mark in the execution trace.
const Category = "tailspan"

// Kind says what happened on the goroutine that carries the mark.
type Kind byte

const (
	// SpanStart is written while the SDK starts a span. The SDK's own task for the span begins right after it on the same goroutine,
	// which names the end too: a second mark there would tell nothing more, and every mark costs half a microsecond.
	SpanStart Kind = 's'
	// Submit and Run are the life of one item of a pool: handed in (where the goroutine goes on without it), begun by a worker.
	Submit Kind = 'q'
	Run    Kind = 'r'
	// Clock carries the moment at which it is written, so that spans' times can be found in the trace.
	Clock Kind = 'c'
)

// SpanID is the 8 bytes of an OpenTelemetry span id.
type SpanID = [8]byte

// Mark is one message.
type Mark struct {
	Kind Kind
	Span SpanID
	// Trace is half of the trace id: enough to tell the requests of one process apart.
	Trace uint64
	// Item numbers the pool's items of Submit and Run, and is the time of Clock.
	Item uint64
}

const (
	spanLength = 1 + 8 + 8
	itemLength = spanLength + 8
)

func (k Kind) hasItem() bool { return k == Submit || k == Run || k == Clock }

// Log writes the mark on the calling goroutine.
func (m Mark) Log() {
	// The background context: looking for a task in a long chain of contexts costs more than the event, and no mark needs one.
	trace.Log(context.Background(), Category, m.Message())
}

// Message is what Log writes and Parse reads.
func (m Mark) Message() string {
	var text [itemLength]byte
	text[0] = byte(m.Kind)
	copy(text[1:9], m.Span[:])
	binary.BigEndian.PutUint64(text[9:17], m.Trace)
	if !m.Kind.hasItem() {
		return string(text[:spanLength])
	}
	binary.BigEndian.PutUint64(text[17:], m.Item)
	return string(text[:])
}

// Parse reads a message; anything that Message did not write is refused.
func Parse(message string) (Mark, bool) {
	if len(message) < spanLength {
		return Mark{}, false
	}
	m := Mark{Kind: Kind(message[0])}
	copy(m.Span[:], message[1:9])
	m.Trace = binary.BigEndian.Uint64([]byte(message[9:17]))
	switch {
	case m.Kind.hasItem() && len(message) == itemLength:
		m.Item = binary.BigEndian.Uint64([]byte(message[17:25]))
		return m, true
	case m.Kind == SpanStart && len(message) == spanLength:
		return m, true
	default:
		return Mark{}, false
	}
}
