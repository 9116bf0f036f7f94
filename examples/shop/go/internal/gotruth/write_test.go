package gotruth

import (
	"bytes"
	"strings"
	"testing"
)

func TestLinesHaveAllPhasesAndShiftedTimes(t *testing.T) {
	span := &Span{TraceID: strings.Repeat("a", 32), SpanID: strings.Repeat("b", 16), Name: "a \"name\"", Kind: 3, StartUnix: 100, EndUnix: 160}
	truth := Truth{Span: span}
	truth.add(Placed{Processing, 100, 120})
	truth.add(Placed{Processing, 120, 130})
	truth.add(Placed{Downstream, 130, 160})
	var out bytes.Buffer
	if err := Write(&out, []Truth{truth}, 1_000, true); err != nil {
		t.Fatal(err)
	}
	want := `{"trace_id":"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa","span_id":"bbbbbbbbbbbbbbbb","name":"a \"name\"","kind":3,"start":"1100","end":"1160",` +
		`"self":{"queue_wait":0,"scheduling":0,"gc":0,"allocator":0,"processing":30,"downstream":30,"network":0,"unattributed":0}}` + "\n" +
		`{"trace_id":"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa","span_id":"bbbbbbbbbbbbbbbb","intervals":[["processing","1100","1130"],["downstream","1130","1160"]]}` + "\n"
	if out.String() != want {
		t.Errorf("wrote\n%s\nexpected\n%s", out.String(), want)
	}
	read, err := ReadForeign(&out, 1_000)
	if err != nil {
		t.Fatal(err)
	}
	if got := read[span.TraceID]; len(got) != 2 || got[0].From != 100 || got[1].To != 160 {
		t.Errorf("read back %v", got)
	}
}

func TestForeignLinesThatAreNotTruthAreRefused(t *testing.T) {
	for _, line := range []string{`{`, `{"intervals":[["processing"]]}`, `{"intervals":[["processing","x","2"]]}`, `{"intervals":[["processing",1,2]]}`} {
		if _, err := ReadForeign(strings.NewReader(line), 0); err == nil {
			t.Errorf("%s was taken", line)
		}
	}
}

func TestWhatIsNoTraceIsRefused(t *testing.T) {
	if _, err := Read(strings.NewReader("not a trace")); err == nil {
		t.Error("taken")
	}
}
