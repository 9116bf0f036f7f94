package main

import (
	"context"
	"errors"
	"testing"
	"time"
)

var (
	background = context.Background()
	errMend    = errors.New("try again")
	errFinal   = errors.New("no")
)

func mends(err error) bool {
	return errors.Is(err, errMend) || errors.Is(err, context.DeadlineExceeded)
}

func TestACallIsTriedAgainWhileThatMayMend(t *testing.T) {
	for _, test := range []struct {
		failures []error
		calls    int
		want     error
	}{
		{nil, 1, nil},
		{[]error{errMend}, 2, nil},
		{[]error{errMend, errMend}, 3, nil},
		{[]error{errMend, errMend, errMend}, attempts, errMend},
		{[]error{errFinal}, 1, errFinal},
	} {
		calls := 0
		_, err := retried(background, time.Second, mends, func(context.Context) (int, error) {
			calls++
			if calls <= len(test.failures) {
				return 0, test.failures[calls-1]
			}
			return 1, nil
		})
		if calls != test.calls || !errors.Is(err, test.want) {
			t.Errorf("%v: %d calls and %v, expected %d and %v", test.failures, calls, err, test.calls, test.want)
		}
	}
}

func TestATryThatHangsIsGivenUp(t *testing.T) {
	calls := 0
	start := time.Now()
	result, err := retried(background, 10*time.Millisecond, mends, func(ctx context.Context) (int, error) {
		if calls++; calls == 1 {
			<-ctx.Done()
			return 0, ctx.Err()
		}
		return 5, nil
	})
	if result != 5 || err != nil || calls != 2 {
		t.Errorf("%d, %v after %d calls", result, err, calls)
	}
	if took := time.Since(start); took < 10*time.Millisecond || took > time.Second {
		t.Errorf("took %v", took)
	}
}

func TestASecondCallBesideASlowFirstWins(t *testing.T) {
	calls := make(chan int, 2)
	calls <- 1
	calls <- 2
	gaveUp := make(chan struct{})
	result, err := hedged(background, 10*time.Millisecond, func(ctx context.Context) (int, error) {
		call := <-calls
		if call == 1 {
			<-ctx.Done()
			close(gaveUp)
		}
		return call, ctx.Err()
	})
	if result != 2 || err != nil {
		t.Errorf("%d, %v", result, err)
	}
	select {
	case <-gaveUp:
	case <-time.After(time.Second):
		t.Error("the first call was not given up")
	}
}

func TestAFastFirstCallHasNoSecond(t *testing.T) {
	calls := 0
	for range 3 {
		result, err := hedged(background, time.Second, func(context.Context) (int, error) {
			calls++
			return 3, nil
		})
		if result != 3 || err != nil {
			t.Errorf("%d, %v", result, err)
		}
	}
	if calls != 3 {
		t.Errorf("%d calls for 3", calls)
	}
}
