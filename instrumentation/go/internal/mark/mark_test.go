package mark

import "testing"

func TestMessagesComeBack(t *testing.T) {
	for _, m := range []Mark{
		{Kind: SpanStart, Span: SpanID{1, 2, 3, 255}, Trace: 1<<63 + 7},
		{Kind: Submit, Span: SpanID{9}, Trace: 1, Item: 1 << 40},
		{Kind: Run, Span: SpanID{}, Trace: 0, Item: 0},
	} {
		if got, ok := Parse(m.Message()); !ok || got != m {
			t.Errorf("%+v came back as %+v, %v", m, got, ok)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add("")
	f.Add("s12345678abcdefgh")
	f.Add("r12345678abcdefgh12345678")
	f.Fuzz(func(t *testing.T, message string) {
		if m, ok := Parse(message); ok && m.Message() != message {
			t.Errorf("%q was read as %+v", message, m)
		}
	})
}
