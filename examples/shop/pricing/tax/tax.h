/* The shop's tax rules, in Rust, for callers in the same process. Functions may be called from any thread.
 *
 * Link with the static library and -lm -ldl -lpthread. With cgo:
 *   #cgo CFLAGS: -I${SRCDIR}/../pricing/tax
 *   #cgo LDFLAGS: ${SRCDIR}/../pricing/target/release/libtax.a -lm -ldl -lpthread
 */
#ifndef SHOP_TAX_H
#define SHOP_TAX_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

enum {
  SHOP_TAX_OK = 0,
  SHOP_TAX_NULL = -1,  /* json or out_cents is NULL, or len is negative */
  SHOP_TAX_JSON = -2,  /* json is not what is described below, or longer than 1 MiB */
  SHOP_TAX_PANIC = -3  /* a bug in the library */
};

/* Starts telemetry once; later calls do nothing. service names the resource (NULL: OTEL_SERVICE_NAME), endpoint is
 * the base address of an OTLP http/protobuf receiver, such as "http://127.0.0.1:4318" (NULL:
 * OTEL_EXPORTER_OTLP_ENDPOINT). Resource attributes come from OTEL_RESOURCE_ATTRIBUTES, and truth goes to
 * $SHOP_TRUTH/tax.truth.jsonl when that is set. Without this call taxes are computed and no spans are made. */
void shop_tax_init(const char *service, const char *endpoint);

/* json is {"item":"i17","quantity":2,"cents":1234}; more members are ignored. out_cents gets the tax. A span is made
 * as a child of traceparent (W3C; NULL or malformed: a new trace). It begins when json has been read into Rust, so
 * reading it (marshalling) is the caller's time. Returns SHOP_TAX_OK or one of the negative values. */
int32_t shop_tax_cents(const char *traceparent, const char *json, int32_t len, int64_t *out_cents);

/* Switches a cause on for ms milliseconds. Known here: "ffi" (slow marshalling). Others are ignored. */
void shop_tax_cause(const char *name, int64_t ms);

/* Sends all spans that have ended, and writes all lines of truth. Blocks until both are done. */
void shop_tax_flush(void);

#ifdef __cplusplus
}
#endif
#endif
