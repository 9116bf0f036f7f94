package gotruth

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"strconv"
)

// placedMax is how many stretches of one span are written; a span with more has only its sums.
const placedMax = 256

// Write writes a line with the sums of each span, and one with their places where there is more than one. Times are shifted as the
// exported spans are.
func Write(to io.Writer, truths []Truth, skewNs int64, named bool) error {
	out := bufio.NewWriter(to)
	for _, truth := range truths {
		span := truth.Span
		fmt.Fprintf(out, `{"trace_id":"%s","span_id":"%s"`, span.TraceID, span.SpanID)
		if named {
			name, err := json.Marshal(span.Name)
			if err != nil {
				return err
			}
			fmt.Fprintf(out, `,"name":%s,"kind":%d,"start":"%d","end":"%d"`, name, span.Kind, span.StartUnix+skewNs, span.EndUnix+skewNs)
		}
		writeTimes(out, "self", truth.Self)
		if truth.Before != [phaseCount]int64{} {
			writeTimes(out, "before", truth.Before)
		}
		out.WriteString("}\n")
		if len(truth.Placed) < 2 || len(truth.Placed) > placedMax {
			continue
		}
		fmt.Fprintf(out, `{"trace_id":"%s","span_id":"%s","intervals":[`, span.TraceID, span.SpanID)
		for i, piece := range truth.Placed {
			if i > 0 {
				out.WriteByte(',')
			}
			fmt.Fprintf(out, `["%s","%d","%d"]`, PhaseNames[piece.Phase], piece.From+skewNs, piece.To+skewNs)
		}
		out.WriteString("]}\n")
	}
	return out.Flush()
}

func writeTimes(out *bufio.Writer, key string, times [phaseCount]int64) {
	fmt.Fprintf(out, `,"%s":{`, key)
	for phase, length := range times {
		if phase > 0 {
			out.WriteByte(',')
		}
		fmt.Fprintf(out, `"%s":%d`, PhaseNames[phase], length)
	}
	out.WriteByte('}')
}

// ReadForeign reads where the spans of another SDK's truth file are, by trace, less the skew that was written.
func ReadForeign(from io.Reader, skewNs int64) (map[string][]Placed, error) {
	foreign := map[string][]Placed{}
	lines := bufio.NewScanner(from)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var line struct {
			TraceID   string              `json:"trace_id"`
			Intervals [][]json.RawMessage `json:"intervals"`
		}
		if err := json.Unmarshal(lines.Bytes(), &line); err != nil {
			return nil, err
		}
		for _, piece := range line.Intervals {
			placed, err := readPlaced(piece)
			if err != nil {
				return nil, err
			}
			placed.From, placed.To = placed.From-skewNs, placed.To-skewNs
			foreign[line.TraceID] = append(foreign[line.TraceID], placed)
		}
	}
	return foreign, lines.Err()
}

func readPlaced(piece []json.RawMessage) (placed Placed, err error) {
	if len(piece) < 3 {
		return placed, fmt.Errorf("an interval of %d parts", len(piece))
	}
	for i, to := range []*int64{&placed.From, &placed.To} {
		var text string
		if err = json.Unmarshal(piece[i+1], &text); err != nil {
			return placed, err
		}
		if *to, err = strconv.ParseInt(text, 10, 64); err != nil {
			return placed, err
		}
	}
	return placed, nil
}
