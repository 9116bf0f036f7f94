package timeline

import (
	"strings"

	"golang.org/x/exp/trace"
)

// framesMax is how deep a stack is searched for the function that waits: below the runtime's and sync's own frames.
const framesMax = 12

// knownTurns are functions that, when they are the first outside the runtime and package sync to wait, wait for a turn.
var knownTurns = map[string]bool{
	"database/sql.(*DB).conn":                         true,
	"golang.org/x/sync/semaphore.(*Weighted).Acquire": true,
	"golang.org/x/sync/errgroup.(*Group).Go":          true,
}

// stackClasses remembers what a stack said, because a handful of stacks makes all the waits.
type stackClasses struct {
	turns map[string]bool
	seen  map[trace.Stack]Why
}

func newStackClasses(more map[string]bool) stackClasses {
	return stackClasses{more, map[trace.Stack]Why{}}
}

func (c *stackClasses) forget() { clear(c.seen) }

// ofWait classifies a wait by the runtime's reason and, where that is not enough, by who waits.
func (c *stackClasses) ofWait(reason string, stack trace.Stack) Why {
	switch reason {
	case "chan send":
		return ForTurn
	case "GC mark assist wait for work", "wait until GC ends", "GC weak to strong wait", "preempted":
		// A goroutine is parked as preempted while the collector scans its stack.
		return ForGC
	case "chan receive", "select", "sync", "sync.(*Cond).Wait":
		return c.once(stack, c.byFrames)
	case "":
		// Waiting since before the window: nobody knows why, but its waker will be known.
		return ForPeer
	default:
		return ForOutside
	}
}

func (c *stackClasses) ofSyscall(stack trace.Stack) Why { return c.once(stack, callsC) }

func (c *stackClasses) once(stack trace.Stack, classify func(trace.Stack) Why) Why {
	why, known := c.seen[stack]
	if !known {
		why = classify(stack)
		c.seen[stack] = why
	}
	return why
}

func (c *stackClasses) byFrames(stack trace.Stack) Why {
	depth := 0
	for frame := range stack.Frames() {
		name := frame.Func
		if strings.Contains(name, "sync.(*Mutex)") || strings.Contains(name, "sync.(*RWMutex)") {
			return ForTurn
		}
		if depth++; depth > framesMax {
			break
		}
		if name == "runtime.GC" || strings.HasPrefix(name, "runtime.gc") || strings.HasPrefix(name, "runtime.mallocgc") {
			return ForGC
		}
		if inRuntime(name) {
			continue
		}
		if knownTurns[name] || c.turns[name] {
			return ForTurn
		}
		break
	}
	return ForPeer
}

func inRuntime(name string) bool {
	return strings.HasPrefix(name, "runtime.") || strings.HasPrefix(name, "sync.") || strings.HasPrefix(name, "internal/sync.")
}

func callsC(stack trace.Stack) Why {
	for frame := range stack.Frames() {
		if entersC(frame.Func) {
			return InCgo
		}
		if !strings.HasPrefix(frame.Func, "runtime.") {
			break
		}
	}
	return 0
}

// entersC tells whether a function is one through which Go enters C. The runtime leaves its own out of such a stack: on top is what
// cgo wrote for the C function, or for its form that also returns errno.
func entersC(function string) bool {
	name := function[strings.LastIndexByte(function, '.')+1:]
	return strings.HasPrefix(name, "_Cfunc_") || strings.HasPrefix(name, "_C2func_") || function == "runtime.cgocall"
}
