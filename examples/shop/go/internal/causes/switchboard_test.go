package causes

import (
	"net/http"
	"net/http/httptest"
	"testing"
	"time"
)

func put(board *Switchboard, path string) int {
	answer := httptest.NewRecorder()
	board.Handler().ServeHTTP(answer, httptest.NewRequest(http.MethodPut, path, nil))
	return answer.Code
}

func TestAnEpisodeLastsAsLongAsAsked(t *testing.T) {
	board := NewSwitchboard()
	var begun time.Duration
	cause := board.Register("queue", func(length time.Duration) { begun = length })
	if cause.Active() {
		t.Error("active before")
	}
	if code := put(board, "/cause/queue?ms=40"); code != http.StatusNoContent {
		t.Fatalf("answered %d", code)
	}
	if !cause.Active() || begun != 40*time.Millisecond {
		t.Errorf("active %v, begun for %v", cause.Active(), begun)
	}
	time.Sleep(50 * time.Millisecond)
	if cause.Active() {
		t.Error("active after")
	}
}

func TestWhatNobodyKnowsIsNotFoundAndWhatIsNoTimeIsRefused(t *testing.T) {
	board := NewSwitchboard()
	cause := board.Register("queue", nil)
	for path, want := range map[string]int{
		"/cause/quue?ms=40":                    http.StatusNotFound,
		"/cause/queue":                         http.StatusBadRequest,
		"/cause/queue?ms=0":                    http.StatusBadRequest,
		"/cause/queue?ms=-1":                   http.StatusBadRequest,
		"/cause/queue?ms=x":                    http.StatusBadRequest,
		"/cause/queue?ms=600001":               http.StatusBadRequest,
		"/cause/queue?ms=99999999999999999999": http.StatusBadRequest,
		"/cause/queue?ms=18446744073709":       http.StatusBadRequest,
	} {
		if code := put(board, path); code != want {
			t.Errorf("%s: answered %d, expected %d", path, code, want)
		}
	}
	if cause.Active() {
		t.Error("a refused request switched it on")
	}
}
