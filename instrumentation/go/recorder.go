package tailspan

import (
	"bytes"
	"errors"
	"runtime/trace"
	"sync/atomic"
	"time"

	"github.com/tailspan/tailspan/instrumentation/go/internal/mark"
)

// clockMarks are written before every snapshot; the best of them is within a microsecond, whoever else wants the processor.
const clockMarks = 5

var errTooLarge = errors.New("the snapshot is larger than may be read")

// bounded refuses what would make the buffer larger than max.
type bounded struct {
	buffer *bytes.Buffer
	max    int
}

func (b bounded) Write(data []byte) (int, error) {
	if b.buffer.Len()+len(data) > b.max {
		return 0, errTooLarge
	}
	return b.buffer.Write(data)
}

var errNotRecording = errors.New("the flight recorder is not running")

// recorder is this process's flight recorder while it is ours. Only on is read by more than one goroutine.
type recorder struct {
	config trace.FlightRecorderConfig
	flight *trace.FlightRecorder
	on     atomic.Bool
	buffer bytes.Buffer
}

func newRecorder(s settings) *recorder {
	return &recorder{config: trace.FlightRecorderConfig{MinAge: s.window, MaxBytes: s.maxBytes}}
}

// start fails while the process has another flight recorder; runtime/trace.Start beside it is no hindrance.
func (r *recorder) start() error {
	flight := trace.NewFlightRecorder(r.config)
	if err := flight.Start(); err != nil {
		return err
	}
	r.flight = flight
	r.on.Store(true)
	return nil
}

// snapshot returns the window; the bytes are good until the next call.
func (r *recorder) snapshot() ([]byte, error) {
	if !r.on.Load() {
		return nil, errNotRecording
	}
	r.buffer.Reset()
	if uint64(r.buffer.Cap()) > 2*r.config.MaxBytes {
		r.buffer = bytes.Buffer{}
	}
	for range clockMarks {
		mark.Mark{Kind: mark.Clock, Item: uint64(sinceEpoch(time.Now()))}.Log()
	}
	if _, err := r.flight.WriteTo(bounded{&r.buffer, snapshotFactor * int(r.config.MaxBytes)}); err != nil {
		return nil, err
	}
	return r.buffer.Bytes(), nil
}

func (r *recorder) stop() {
	if r.on.Swap(false) {
		r.flight.Stop()
	}
}
