//! When a request was there, by the kernel: no runtime notices how long it did not look at a socket.

use std::cell::Cell;
use std::io;
use std::mem::{MaybeUninit, size_of};
use std::os::fd::{AsFd, AsRawFd as _, RawFd};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::{SystemTime, UNIX_EPOCH};

use pin_project_lite::pin_project;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::task;

use crate::clock;

/// Room for one time stamp among what the kernel says beside the bytes.
const CONTROL_WORDS: usize = 8;

thread_local! {
    /// Of what a task last read on this thread.
    static ARRIVED: Cell<Option<Arrival>> = const { Cell::new(None) };
}

#[derive(Clone, Copy)]
struct Arrival {
    at: u64,
    /// Whose poll read it: a server parses a request and calls the service in that very poll.
    task: Option<task::Id>,
}

/// When the bytes were in the kernel that this task last read, if nobody has asked yet.
pub(crate) fn take() -> Option<u64> {
    let arrival = ARRIVED.take()?;
    (arrival.task == task::try_id()).then_some(arrival.at)
}

/// Asks the kernel to stamp what comes in on a listener's connections, those not yet accepted included; [`Stamped`] reads the
/// stamps. On Linux; elsewhere it does nothing.
///
/// # Errors
///
/// Those of `setsockopt`.
pub fn stamp_arrivals(listener: &impl AsFd) -> io::Result<()> {
    let on: libc::c_int = 1;
    // SAFETY: the value is a live c_int of the length given, and the descriptor is borrowed and so open.
    let result = unsafe {
        libc::setsockopt(
            listener.as_fd().as_raw_fd(),
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

pin_project! {
    /// A connection of which it is known when what is read from it had arrived: a span without a parent that is made in the poll
    /// that read its request says exactly how late it is (`tailspan.unwatched_before_ns`), where [`watch_workers`](crate::watch_workers)
    /// alone knows a bound. Its listener asks for the stamps, see [`stamp_arrivals`]. A read costs one system call more.
    ///
    /// In `axum`, in an implementation of `axum::serve::Listener` for a listener of your own; under TLS, around the TCP stream.
    #[derive(Debug)]
    pub struct Stamped<S> {
        #[pin]
        inner: S,
    }
}

impl<S> Stamped<S> {
    /// Around a connection of a listener that stamps.
    pub const fn new(inner: S) -> Self {
        Self { inner }
    }
}

impl<S: AsFd> AsFd for Stamped<S> {
    fn as_fd(&self) -> std::os::fd::BorrowedFd<'_> {
        self.inner.as_fd()
    }
}

impl<S: AsyncRead + AsFd> AsyncRead for Stamped<S> {
    fn poll_read(self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let next = stamp_of_next(self.inner.as_fd().as_raw_fd());
        let before = buffer.filled().len();
        let read = self.project().inner.poll_read(context, buffer);
        let arrived = next.filter(|_| buffer.filled().len() > before);
        ARRIVED.set(arrived.map(|at| Arrival {
            at,
            task: task::try_id(),
        }));
        read
    }
}

impl<S: AsyncWrite> AsyncWrite for Stamped<S> {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.project().inner.poll_write(context, bytes)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.project().inner.poll_write_vectored(context, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.project().inner.poll_flush(context)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.project().inner.poll_shutdown(context)
    }
}

/// When the next byte to be read came, on this process's clock; it stays where it is.
fn stamp_of_next(descriptor: RawFd) -> Option<u64> {
    let mut byte = 0_u8;
    let mut slice = libc::iovec {
        iov_base: (&raw mut byte).cast(),
        iov_len: 1,
    };
    // Of words, for the alignment of the headers in it.
    let mut control = [0_u64; CONTROL_WORDS];
    // SAFETY: a header of zeros is valid: no name, no slices, no control.
    let mut header: libc::msghdr = unsafe { MaybeUninit::zeroed().assume_init() };
    header.msg_iov = &raw mut slice;
    header.msg_iovlen = 1;
    header.msg_control = control.as_mut_ptr().cast();
    header.msg_controllen = size_of_val(&control) as _;
    // SAFETY: the header points at the slice and the control room above, which outlive the call.
    let bytes = unsafe { libc::recvmsg(descriptor, &raw mut header, libc::MSG_PEEK | libc::MSG_DONTWAIT) };
    if bytes <= 0 {
        return None;
    }
    let arrived = stamp_in(&header)?;
    let now = SystemTime::now().duration_since(UNIX_EPOCH).ok()?;
    let age = u64::try_from(now.as_nanos()).ok()?.saturating_sub(arrived);
    Some(clock::now_ns().saturating_sub(age))
}

/// Unix nanoseconds.
fn stamp_in(header: &libc::msghdr) -> Option<u64> {
    // SAFETY: the kernel filled the control room with whole messages, and these macros stay within its length.
    unsafe {
        let mut message = libc::CMSG_FIRSTHDR(header);
        while let Some(one) = message.as_ref() {
            if one.cmsg_level == libc::SOL_SOCKET && one.cmsg_type == libc::SCM_TIMESTAMPNS {
                let at = libc::CMSG_DATA(one).cast::<libc::timespec>().read_unaligned();
                return u64::try_from(at.tv_sec * 1_000_000_000 + at.tv_nsec).ok();
            }
            message = libc::CMSG_NXTHDR(header, one);
        }
    }
    None
}
