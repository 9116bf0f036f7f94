// Package causes switches the causes of slowness on and off while a service runs.
package causes

import (
	"fmt"
	"net/http"
	"strconv"
	"sync/atomic"
	"time"
)

// longestEpisode keeps a mistaken number from leaving a service slow for good.
const longestEpisode = 10 * time.Minute

// Cause is one thing that can go wrong with a service.
type Cause struct {
	begin func(time.Duration)
	until atomic.Int64
}

// Active tells whether an episode of this cause is going on.
func (c *Cause) Active() bool {
	return time.Now().UnixNano() < c.until.Load()
}

// Switchboard has the causes that a service knows.
type Switchboard struct {
	causes map[string]*Cause
}

// NewSwitchboard has no causes yet; register them before it serves.
func NewSwitchboard() *Switchboard {
	return &Switchboard{causes: map[string]*Cause{}}
}

// Register adds a cause. begin may be nil; else it is called with the length of each episode, and must return at once.
func (s *Switchboard) Register(name string, begin func(time.Duration)) *Cause {
	cause := &Cause{begin: begin}
	s.causes[name] = cause
	return cause
}

// Handler answers PUT /cause/{name}?ms=N.
func (s *Switchboard) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("PUT /cause/{name}", func(w http.ResponseWriter, r *http.Request) {
		cause, known := s.causes[r.PathValue("name")]
		if !known {
			http.Error(w, fmt.Sprintf("no cause %q here", r.PathValue("name")), http.StatusNotFound)
			return
		}
		ms, err := strconv.ParseInt(r.URL.Query().Get("ms"), 10, 64)
		if err != nil || ms < 1 || ms > longestEpisode.Milliseconds() {
			http.Error(w, "ms takes 1 to 600000 milliseconds", http.StatusBadRequest)
			return
		}
		length := time.Duration(ms) * time.Millisecond
		cause.until.Store(time.Now().Add(length).UnixNano())
		if cause.begin != nil {
			cause.begin(length)
		}
		w.WriteHeader(http.StatusNoContent)
	})
	return mux
}
