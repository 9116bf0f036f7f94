//! When a request was there, by the kernel: before its span begins the runtime has to look at its sockets, and only the kernel
//! knows how long it did not.

use std::cell::Cell;
use std::io;
use std::mem::{MaybeUninit, size_of};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, Interest, ReadBuf};
use tokio::net::{TcpListener, TcpStream};

use crate::{far, recording};

/// Room for one time stamp among what the kernel says beside the bytes.
const CONTROL_BYTES: usize = 64;

thread_local! {
    /// Of what was last read on this thread, Unix nanoseconds, or 0. The server parses a request and makes its span in the poll
    /// that read it.
    static ARRIVED: Cell<u64> = const { Cell::new(0) };
}

/// For the span that is made now: when the bytes were in the kernel of which it is made.
pub(crate) fn take() -> Option<u64> {
    Some(ARRIVED.take()).filter(|arrived| *arrived > 0)
}

/// Asks the kernel to stamp what comes in on the listener's connections, the ones not yet accepted included.
pub fn stamp_arrivals(listener: &TcpListener) -> io::Result<()> {
    let on: libc::c_int = 1;
    // SAFETY: the value is a live c_int of the length given, and the descriptor is open while the listener lives.
    let result = unsafe {
        libc::setsockopt(
            listener.as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_TIMESTAMPNS,
            (&raw const on).cast(),
            size_of::<libc::c_int>() as libc::socklen_t,
        )
    };
    if result == 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}

/// A connection whose reads note when the bytes arrived, once the process records, and whose writes note that an answer is there.
#[derive(Debug)]
pub struct Stamped(pub TcpStream);

impl AsFd for Stamped {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

impl AsyncRead for Stamped {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if !recording() {
            return Pin::new(&mut self.0).poll_read(context, buffer);
        }
        loop {
            ready!(self.0.poll_read_ready(context))?;
            let descriptor = self.0.as_raw_fd();
            let read = self.0.try_io(Interest::READABLE, || {
                receive(descriptor, buffer.initialize_unfilled())
            });
            match read {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return Poll::Ready(Err(error)),
                Ok((bytes, arrived)) => {
                    buffer.advance(bytes);
                    ARRIVED.set(arrived);
                    return Poll::Ready(Ok(()));
                }
            }
        }
    }
}

impl AsyncWrite for Stamped {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        noted(Pin::new(&mut self.0).poll_write(context, bytes))
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        noted(Pin::new(&mut self.0).poll_write_vectored(context, slices))
    }

    fn is_write_vectored(&self) -> bool {
        self.0.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(context)
    }
}

fn noted(write: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
    if write.is_ready() {
        far::written();
    }
    write
}

/// Reads what is there, and when the last of it came; 0 where the kernel does not say.
fn receive(descriptor: RawFd, buffer: &mut [u8]) -> io::Result<(usize, u64)> {
    let mut slice = libc::iovec {
        iov_base: buffer.as_mut_ptr().cast(),
        iov_len: buffer.len(),
    };
    // Of words, for the alignment of the headers in it.
    let mut control = [0u64; CONTROL_BYTES / size_of::<u64>()];
    // SAFETY: a header of zeros is valid: no name, no slices, no control.
    let mut header: libc::msghdr = unsafe { MaybeUninit::zeroed().assume_init() };
    header.msg_iov = &raw mut slice;
    header.msg_iovlen = 1;
    header.msg_control = control.as_mut_ptr().cast();
    header.msg_controllen = CONTROL_BYTES as _;
    // SAFETY: the header points at the slice and the control room above, which outlive the call.
    let bytes = unsafe { libc::recvmsg(descriptor, &raw mut header, 0) };
    if bytes < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok((bytes as usize, arrived_of(&header)))
}

fn arrived_of(header: &libc::msghdr) -> u64 {
    // SAFETY: the kernel filled the control room with whole messages, and these macros stay within its length.
    unsafe {
        let mut message = libc::CMSG_FIRSTHDR(header);
        while let Some(one) = message.as_ref() {
            if one.cmsg_level == libc::SOL_SOCKET && one.cmsg_type == libc::SCM_TIMESTAMPNS {
                let at = libc::CMSG_DATA(one)
                    .cast::<libc::timespec>()
                    .read_unaligned();
                return at.tv_sec as u64 * 1_000_000_000 + at.tv_nsec as u64;
            }
            message = libc::CMSG_NXTHDR(header, one);
        }
    }
    0
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;
    use std::io::Write as _;
    use std::time::Duration;

    use super::*;
    use crate::{now_ns, start_recording};

    #[test]
    fn bytes_arrive_when_the_kernel_has_them_even_before_the_connection_is_accepted() {
        const NOBODY_LOOKS: Duration = Duration::from_millis(40);
        start_recording();
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        runtime.block_on(async {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            stamp_arrivals(&listener).unwrap();
            // The first socket of a machine that asks makes the kernel begin to stamp, which it does a little later.
            std::thread::sleep(NOBODY_LOOKS);
            let mut client = std::net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
            let before = now_ns();
            client.write_all(b"hello").unwrap();
            let after = now_ns();
            std::thread::sleep(NOBODY_LOOKS);
            let mut connection = Stamped(listener.accept().await.unwrap().0);
            let mut bytes = [0; 16];
            let mut buffer = ReadBuf::new(&mut bytes);
            poll_fn(|context| Pin::new(&mut connection).poll_read(context, &mut buffer))
                .await
                .unwrap();
            assert_eq!(buffer.filled(), b"hello");
            let arrived = take().expect("the kernel stamps what comes in");
            assert!(
                (before..=after).contains(&arrived),
                "{before} {arrived} {after}"
            );
            assert_eq!(take(), None, "each read is one span's");
        });
    }
}
