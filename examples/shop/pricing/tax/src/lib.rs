//! The C functions of `tax.h`; what they do is in the modules.

mod order;
mod tax;

use std::ffi::{CStr, c_char};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::OnceLock;

use telemetry::{Settings, Telemetry};

#[global_allocator]
static ALLOCATOR: truth::TimingAllocator = truth::TimingAllocator;

static TELEMETRY: OnceLock<Option<Telemetry>> = OnceLock::new();

const OK: i32 = 0;
const ERROR_NULL: i32 = -1;
const ERROR_JSON: i32 = -2;
const ERROR_PANIC: i32 = -3;

/// # Safety
/// `service` and `endpoint` are NULL or C strings.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn shop_tax_init(service: *const c_char, endpoint: *const c_char) {
    // SAFETY: the caller's promise.
    let (service, endpoint) = unsafe { (text(service), text(endpoint)) };
    guarded((), || {
        TELEMETRY.get_or_init(|| {
            Telemetry::install(Settings {
                name: "tax",
                service: service.map(str::to_owned),
                endpoint: endpoint.map(|base| base.trim_end_matches('/').to_owned()),
                ..Settings::default()
            })
            .inspect_err(|error| eprintln!("tax: {error}"))
            .ok()
        });
    });
}

/// # Safety
/// `traceparent` is NULL or a C string, `json` is NULL or points to `len` bytes, `out_cents` is NULL or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn shop_tax_cents(
    traceparent: *const c_char,
    json: *const c_char,
    len: i32,
    out_cents: *mut i64,
) -> i32 {
    let Ok(len) = usize::try_from(len) else {
        return ERROR_NULL;
    };
    if json.is_null() || out_cents.is_null() {
        return ERROR_NULL;
    }
    // SAFETY: neither is NULL, and the caller promises the rest.
    let (traceparent, json) = unsafe {
        (
            text(traceparent),
            std::slice::from_raw_parts(json.cast::<u8>(), len),
        )
    };
    guarded(ERROR_PANIC, || {
        let Some(order) = order::read(json) else {
            return ERROR_JSON;
        };
        // SAFETY: not NULL, and the caller promises that it is writable.
        unsafe { *out_cents = tax::cents(traceparent, &order) };
        OK
    })
}

/// # Safety
/// `name` is NULL or a C string.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn shop_tax_cause(name: *const c_char, ms: i64) {
    // SAFETY: the caller's promise.
    if unsafe { text(name) } == Some("ffi") {
        order::marshal_slowly_for(ms);
    }
}

#[unsafe(no_mangle)]
pub extern "C" fn shop_tax_flush() {
    guarded((), || {
        if let Some(Some(telemetry)) = TELEMETRY.get() {
            telemetry.flush();
        }
    });
}

/// A panic must not unwind into C.
fn guarded<T>(otherwise: T, call: impl FnOnce() -> T) -> T {
    catch_unwind(AssertUnwindSafe(call)).unwrap_or(otherwise)
}

/// # Safety
/// `pointer` is NULL or a C string that outlives the result.
unsafe fn text<'a>(pointer: *const c_char) -> Option<&'a str> {
    if pointer.is_null() {
        return None;
    }
    // SAFETY: the caller's promise.
    unsafe { CStr::from_ptr(pointer) }.to_str().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(json: &[u8]) -> (i32, i64) {
        let mut cents = -7;
        let len = i32::try_from(json.len()).unwrap();
        // SAFETY: all pointers are to live values.
        let code =
            unsafe { shop_tax_cents(std::ptr::null(), json.as_ptr().cast(), len, &raw mut cents) };
        (code, cents)
    }

    #[test]
    fn tax_is_nineteen_per_cent_rounded_to_the_nearest_cent() {
        let order = br#"{"item":"i17","quantity":2,"cents":1234}"#;
        assert_eq!(call(order), (OK, 234));
    }

    #[test]
    fn what_is_no_order_is_refused_and_leaves_the_result_alone() {
        for bad in [&b""[..], b"{}", b"[1", br#"{"cents":"12"}"#, b"\xff\xfe"] {
            assert_eq!(call(bad), (ERROR_JSON, -7), "{bad:?}");
        }
    }

    #[test]
    fn null_and_negative_lengths_are_refused() {
        let mut cents = 0;
        // SAFETY: NULL is allowed, and a negative length is refused before anything is read.
        unsafe {
            let null = std::ptr::null();
            assert_eq!(shop_tax_cents(null, null, 3, &raw mut cents), ERROR_NULL);
            let json = c"{}".as_ptr();
            assert_eq!(shop_tax_cents(null, json, -1, &raw mut cents), ERROR_NULL);
            let nowhere = std::ptr::null_mut();
            assert_eq!(shop_tax_cents(null, json, 2, nowhere), ERROR_NULL);
        }
    }
}
