//! A request that waited in the kernel says for how long, to the moment.
#![cfg(all(feature = "net", target_os = "linux"))]

mod common;

use std::io::Write as _;
use std::time::{Duration, Instant};

use common::{current_thread, install, times};
use tailspan::{Stamped, stamp_arrivals};
use tokio::io::AsyncReadExt as _;
use tokio::net::TcpListener;
use tracing::info_span;

const NOBODY_LOOKS: Duration = Duration::from_millis(40);

#[test]
fn a_request_is_late_since_the_kernel_had_it_and_only_the_task_that_read_it_knows() {
    install();
    current_thread().block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        stamp_arrivals(&listener).unwrap();
        // The first socket of a machine that asks makes the kernel begin to stamp, which it does a little later.
        std::thread::sleep(NOBODY_LOOKS);
        let mut client = std::net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let before = Instant::now();
        client.write_all(b"hello").unwrap();
        let after = Instant::now();
        std::thread::sleep(NOBODY_LOOKS);
        let mut connection = Stamped::new(listener.accept().await.unwrap().0);
        tokio::spawn(async move {
            let mut bytes = [0; 16];
            assert_eq!(connection.read(&mut bytes).await.unwrap(), 5);
            let least = after.elapsed();
            drop(info_span!(parent: None, "reads").entered());
            let most = before.elapsed();
            let late = Duration::from_nanos(times("reads").unwatched_before_ns.unwrap());
            // The kernel's clock is another one, and each is read in turn.
            let slack = Duration::from_micros(50);
            assert!(
                late + slack >= least && late <= most + slack,
                "{least:?} {late:?} {most:?}"
            );
        })
        .await
        .unwrap();
    });
}

#[test]
fn what_another_task_read_says_nothing_about_a_span() {
    install();
    current_thread().block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        stamp_arrivals(&listener).unwrap();
        let mut client = std::net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        client.write_all(b"hello").unwrap();
        let mut connection = Stamped::new(listener.accept().await.unwrap().0);
        tokio::spawn(async move {
            let mut bytes = [0; 16];
            connection.read_exact(&mut bytes[..5]).await.unwrap();
        })
        .await
        .unwrap();
        tokio::spawn(async { drop(info_span!(parent: None, "unrelated").entered()) })
            .await
            .unwrap();
        assert_eq!(times("unrelated").unwatched_before_ns, None);
    });
}
