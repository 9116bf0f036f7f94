package timeline

import "testing"

func TestCallsIntoCAreToldFromSystemCalls(t *testing.T) {
	for function, entered := range map[string]bool{
		"main._Cfunc_nap":                        true,
		"example.com/shop/tax._Cfunc_compute":    true,
		"example.com/shop.v2/tax._C2func_lookup": true,
		"runtime.cgocall":                        true,
		"syscall.read":                           false,
		"example.com/tax.(*Library).Compute":     false,
		"main.count_Cfunc_calls":                 false,
	} {
		if entersC(function) != entered {
			t.Errorf("entersC(%q) is %t", function, !entered)
		}
	}
}
