//go:build ffi

package tax

/*
#cgo CFLAGS: -I${SRCDIR}/../../../pricing/tax
#cgo LDFLAGS: ${SRCDIR}/../../../pricing/target/release/libtax.a -lm -ldl -lpthread
#include <stdlib.h>
#include "tax.h"
*/
import "C"

import (
	"context"
	"encoding/json"
	"fmt"
	"time"
	"unsafe"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/propagation"

	"tailspan/shop/internal/truthmark"
)

// Built tells whether the library is part of this binary.
const Built = true

// Start makes the library send its spans there, as this service.
func Start(service, endpoint string) {
	name, address := C.CString(service), C.CString(endpoint)
	defer C.free(unsafe.Pointer(name))
	defer C.free(unsafe.Pointer(address))
	C.shop_tax_init(name, address)
}

// Flush returns when the library has sent all its spans.
func Flush() { C.shop_tax_flush() }

// Cause makes the library slow in that way, for that long.
func Cause(cause string, length time.Duration) {
	name := C.CString(cause)
	defer C.free(unsafe.Pointer(name))
	C.shop_tax_cause(name, C.int64_t(length.Milliseconds()))
}

// Cents is the tax of an order. The library makes a span of its own under the span of this call.
func Cents(ctx context.Context, order Order) (int64, error) {
	ctx, span := otel.Tracer("tailspan/shop/tax").Start(ctx, "tax")
	defer span.End()
	truthmark.Mark(ctx, truthmark.Foreign)
	text, err := json.Marshal(order)
	if err != nil {
		return 0, err
	}
	carrier := propagation.MapCarrier{}
	propagation.TraceContext{}.Inject(ctx, carrier)
	parent := C.CString(carrier.Get("traceparent"))
	defer C.free(unsafe.Pointer(parent))
	body := C.CBytes(text)
	defer C.free(body)
	var cents C.int64_t
	if code := C.shop_tax_cents(parent, (*C.char)(body), C.int32_t(len(text)), &cents); code != C.SHOP_TAX_OK {
		return 0, fmt.Errorf("tax library: code %d for %s", code, text)
	}
	return int64(cents), nil
}
