package service

import (
	"net"
	"net/http"
	"testing"
)

func TestTheReadyLineNamesEveryListener(t *testing.T) {
	for line, started := range map[string]Started{
		"ready 127.0.0.1:1 control 127.0.0.1:2":                   {Address: "127.0.0.1:1", Control: "127.0.0.1:2"},
		"ready 127.0.0.1:1 control 127.0.0.1:2 cache 127.0.0.1:3": {Address: "127.0.0.1:1", Control: "127.0.0.1:2", Cache: "127.0.0.1:3"},
	} {
		if said := started.ready(); said != line {
			t.Errorf("said %q, not %q", said, line)
		}
	}
}

func TestServicesChooseTheirPortsUnlessTold(t *testing.T) {
	t.Setenv("OTEL_SERVICE_NAME", "gateway")
	env, err := ReadEnvironment()
	if err != nil {
		t.Fatal(err)
	}
	ports := map[string]bool{}
	for range 2 {
		address, stop, err := ServeHTTP(env.Listen, http.NotFoundHandler())
		if err != nil {
			t.Fatal(err)
		}
		defer stop(t.Context())
		_, port, err := net.SplitHostPort(address)
		if err != nil {
			t.Fatal(err)
		}
		ports[port] = true
	}
	if len(ports) != 2 || ports["0"] {
		t.Errorf("two services at once listen on ports %v", ports)
	}
}
