package tailspan

import (
	"syscall"
	"time"
)

const cpuIsWall = false

// threadCPU is the CPU time of the calling thread.
func threadCPU() time.Duration {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_THREAD, &usage); err != nil {
		return 0
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}
