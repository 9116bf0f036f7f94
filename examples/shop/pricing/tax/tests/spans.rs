//! The library as a C caller uses it, with a receiver of its spans and a folder for truth.

use std::ffi::{CStr, CString, c_char};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use tax::{shop_tax_cause, shop_tax_cents, shop_tax_flush, shop_tax_init};

const TRACEPARENT: &CStr = c"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
const TRACE_ID: [u8; 16] = 0x0af7_6519_16cd_43dd_8448_eb21_1c80_319c_u128.to_be_bytes();
const PARENT_ID: [u8; 8] = 0xb7ad_6b71_6920_3331_u64.to_be_bytes();
const ORDER: &[u8] = br#"{"item":"i17","quantity":2,"cents":1234}"#;

/// An OTLP receiver that hands on path and body of every request.
fn receiver() -> (String, Receiver<(String, Vec<u8>)>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}/", listener.local_addr().unwrap());
    let (sender, received) = channel();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let sender = sender.clone();
            std::thread::spawn(move || {
                let mut reader = BufReader::new(stream.unwrap());
                while let Some(request) = read_request(&mut reader) {
                    sender.send(request).unwrap();
                }
            });
        }
    });
    (address, received)
}

fn read_request(reader: &mut BufReader<TcpStream>) -> Option<(String, Vec<u8>)> {
    let mut first = String::new();
    if reader.read_line(&mut first).ok()? == 0 {
        return None;
    }
    let mut length = 0;
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        if line.trim().is_empty() {
            break;
        }
        if let Some(value) = line.to_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().ok()?;
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n";
    reader.get_mut().write_all(answer).ok()?;
    Some((first.split(' ').nth(1)?.to_owned(), body))
}

fn holds(body: &[u8], part: &[u8]) -> bool {
    body.windows(part.len()).any(|window| window == part)
}

fn tax_of(order: &[u8]) -> i64 {
    let mut cents = 0;
    // SAFETY: all pointers are to live values.
    let code = unsafe {
        shop_tax_cents(
            TRACEPARENT.as_ptr(),
            order.as_ptr().cast::<c_char>(),
            order.len() as i32,
            &raw mut cents,
        )
    };
    assert_eq!(code, 0);
    cents
}

#[test]
fn a_call_makes_a_span_below_the_callers_and_a_line_of_truth_without_its_marshalling() {
    let folder = std::env::temp_dir().join(format!("tax-{}", std::process::id()));
    // SAFETY: this is the only test of the process, and no thread reads the environment yet.
    unsafe {
        std::env::set_var("SHOP_TRUTH", &folder);
        std::env::set_var("OTEL_RESOURCE_ATTRIBUTES", "service.instance.id=gateway-0");
    }
    let (address, received) = receiver();
    let endpoint = CString::new(address).unwrap();
    // SAFETY: both are C strings.
    unsafe { shop_tax_init(c"gateway".as_ptr(), endpoint.as_ptr()) };

    // SAFETY: a C string.
    unsafe { shop_tax_cause(c"ffi".as_ptr(), 10_000) };
    assert_eq!(tax_of(ORDER), 234);
    shop_tax_flush();

    let (path, body) = received.recv_timeout(Duration::from_secs(10)).unwrap();
    assert_eq!(path, "/v1/traces");
    for part in [
        &TRACE_ID[..],
        &PARENT_ID,
        b"tax.compute",
        b"gateway-0",
        b"rust",
    ] {
        assert!(holds(&body, part), "{part:?} is not in the export");
    }

    let lines = std::fs::read_to_string(folder.join("tax.truth.jsonl")).unwrap();
    std::fs::remove_dir_all(&folder).unwrap();
    let line: serde_json::Value = serde_json::from_str(lines.lines().next().unwrap()).unwrap();
    assert_eq!(line["trace_id"], "0af7651916cd43dd8448eb211c80319c");
    let total: u64 = line["self"]
        .as_object()
        .unwrap()
        .values()
        .map(|ns| ns.as_u64().unwrap())
        .sum();
    // Marshalling takes 12 ms or more under this cause; the span must not hold it.
    assert!((1..12_000_000).contains(&total), "{line}");
}
