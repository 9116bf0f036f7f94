package tailspan

import (
	"context"
	"testing"

	"go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
)

func TestTheCountersArePublished(t *testing.T) {
	reader := metric.NewManualReader()
	b := newBench(t, WithSampleRate(1e9), WithMeterProvider(metric.NewMeterProvider(metric.WithReader(reader))))
	b.request("a", nothing)
	_ = b.provider.ForceFlush(context.Background())
	got := collect(t, reader)
	for name, want := range map[string]float64{
		"tailspan.evidence.spans evidence": 3, "tailspan.evidence.spans not_chosen": 0, "tailspan.evidence.held": 0,
		"tailspan.evidence.snapshots": 1, "tailspan.evidence.recording": 1,
	} {
		if value, found := got[name]; !found || value != want {
			t.Errorf("%s is %v, %v", name, value, found)
		}
	}
	if got["tailspan.evidence.cpu.time"] <= 0 {
		t.Errorf("no CPU time: %v", got)
	}
	_ = b.provider.Shutdown(context.Background())
	if after := collect(t, reader); len(after) != 0 {
		t.Errorf("published after the end: %v", after)
	}
}

func collect(t *testing.T, reader metric.Reader) map[string]float64 {
	t.Helper()
	var all metricdata.ResourceMetrics
	if err := reader.Collect(context.Background(), &all); err != nil {
		t.Fatal(err)
	}
	values := map[string]float64{}
	for _, scope := range all.ScopeMetrics {
		for _, one := range scope.Metrics {
			switch data := one.Data.(type) {
			case metricdata.Sum[int64]:
				for _, point := range data.DataPoints {
					name := one.Name
					if result, ok := point.Attributes.Value("result"); ok {
						name += " " + result.AsString()
					}
					values[name] = float64(point.Value)
				}
			case metricdata.Sum[float64]:
				values[one.Name] = data.DataPoints[0].Value
			case metricdata.Gauge[int64]:
				values[one.Name] = float64(data.DataPoints[0].Value)
			}
		}
	}
	return values
}
