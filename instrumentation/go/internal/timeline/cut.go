package timeline

import (
	"encoding/binary"
)

// The parts of the wire format that Cut must know (Go 1.25 and 1.26); x/exp/trace reads the rest.
const (
	headerLength = 16

	evEventBatch        = 1
	evFrequency         = 8
	evExperimentalBatch = 49
	evSync              = 50
	evClockSnapshot     = 51
	evEndOfGeneration   = 52
)

// Cut drops the generations that ended before a moment (Unix nanoseconds): reading costs by the event, and a recorder's
// window is longer than most requests. What it does not understand it leaves whole.
func Cut(snapshot []byte, since int64) []byte {
	starts, ok := generations(snapshot)
	if !ok {
		return snapshot
	}
	keep := 0
	for i, generation := range starts {
		if generation.wall <= since {
			keep = i
		}
	}
	if keep == 0 {
		return snapshot
	}
	from := starts[keep].offset
	// The header moves up to the first generation that stays; the snapshot's bytes are the caller's to spend.
	copy(snapshot[from-headerLength:], snapshot[:headerLength])
	return snapshot[from-headerLength:]
}

type generationStart struct {
	offset int
	number uint64
	wall   int64
}

// generations finds where each begins, in bytes and in wall time.
func generations(snapshot []byte) (starts []generationStart, ok bool) {
	if len(snapshot) < headerLength {
		return nil, false
	}
	for at := headerLength; at < len(snapshot); {
		if snapshot[at] == evEndOfGeneration {
			at++
			continue
		}
		batch, ok := readBatch(snapshot[at:])
		if !ok {
			return nil, false
		}
		if len(starts) == 0 || starts[len(starts)-1].number != batch.generation {
			starts = append(starts, generationStart{offset: at, number: batch.generation})
		}
		if wall, found := wallOf(batch.body); found {
			starts[len(starts)-1].wall = wall
		}
		at += batch.length
	}
	for _, start := range starts {
		if start.wall == 0 {
			return nil, false
		}
	}
	return starts, len(starts) > 0
}

type rawBatch struct {
	generation uint64
	body       []byte
	length     int
}

func readBatch(data []byte) (rawBatch, bool) {
	rest := numbers{data: data[1:]}
	switch data[0] {
	case evEventBatch:
	case evExperimentalBatch:
		rest.next()
	default:
		return rawBatch{}, false
	}
	generation := rest.next()
	rest.next() // thread
	rest.next() // time
	size := rest.next()
	if rest.broken || size > uint64(len(rest.data)) {
		return rawBatch{}, false
	}
	return rawBatch{generation, rest.data[:size], len(data) - len(rest.data) + int(size)}, true
}

// wallOf reads the wall clock out of a sync batch.
func wallOf(body []byte) (int64, bool) {
	if len(body) < 2 || body[0] != evSync || body[1] != evFrequency {
		return 0, false
	}
	rest := numbers{data: body[2:]}
	rest.next() // frequency
	if rest.broken || len(rest.data) == 0 || rest.data[0] != evClockSnapshot {
		return 0, false
	}
	rest.data = rest.data[1:]
	rest.next() // trace time
	rest.next() // monotonic time
	seconds, nanoseconds := rest.next(), rest.next()
	if rest.broken {
		return 0, false
	}
	return int64(seconds)*1e9 + int64(nanoseconds), true
}

// numbers reads unsigned varints one after the other and remembers a failure.
type numbers struct {
	data   []byte
	broken bool
}

func (n *numbers) next() uint64 {
	value, length := binary.Uvarint(n.data)
	if length <= 0 {
		n.broken = true
		return 0
	}
	n.data = n.data[length:]
	return value
}
