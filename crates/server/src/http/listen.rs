//! Accepts connections and serves HTTP/1 on each, with time limits and an upper bound on how many there are.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::StatusCode;
use axum::response::Response;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use socket2::{Domain, Protocol, Socket, Type};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, watch};
use tower::ServiceExt;
use tracing::{debug, warn};

use super::Peer;
use crate::operations::Connections;

/// How long the head of a request may take to come, and how long a connection may idle.
pub(crate) const HEAD_PATIENCE: Duration = Duration::from_secs(30);
/// Largest head of a request.
const MAX_HEAD: usize = 32 * 1024;
/// Connections that the kernel keeps until they are accepted.
const BACKLOG: i32 = 1_024;
/// After an error of the listener, such as too many open files, before it is asked again.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// How long connections may take to end.
const GRACE: Duration = Duration::from_secs(2);

/// Opens the listening socket. `::` takes IPv4 too, and is IPv4 alone on a machine without IPv6.
pub(crate) async fn bind(host: &str, port: u16) -> io::Result<TcpListener> {
    let addresses: Vec<SocketAddr> = match host.parse::<IpAddr>() {
        Ok(address) => vec![SocketAddr::new(address, port)],
        Err(_) => tokio::net::lookup_host((host, port)).await?.collect(),
    };
    let mut last_error = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
    for address in addresses {
        match listen(address) {
            Ok(listener) => return Ok(listener),
            Err(error) if address.ip() == IpAddr::V6(Ipv6Addr::UNSPECIFIED) && is_no_ipv6(&error) => {
                return listen(SocketAddr::new(Ipv4Addr::UNSPECIFIED.into(), port));
            }
            Err(error) => last_error = error,
        }
    }
    Err(last_error)
}

fn is_no_ipv6(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::AddrNotAvailable | io::ErrorKind::Unsupported)
        || error.raw_os_error().is_some_and(|code| matches!(code, 97 | 47))
}

fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    if address.is_ipv6() {
        socket.set_only_v6(address.ip() != IpAddr::V6(Ipv6Addr::UNSPECIFIED))?;
    }
    // A restart must not wait for the old connections' last packets.
    #[cfg(unix)]
    socket.set_reuse_address(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    socket.set_nonblocking(true)?;
    TcpListener::from_std(socket.into())
}

/// Serves until `stop` says so, then lets connections end, but not for long.
pub(crate) async fn serve(
    listener: TcpListener,
    router: Router,
    connections: Connections,
    mut stop: watch::Receiver<bool>,
) {
    let Connections { limit, free: seats, head_patience } = connections;
    loop {
        let accepted = async {
            // Waiting here leaves newcomers in the kernel's queue.
            let seat = Arc::clone(&seats).acquire_owned().await;
            (seat, listener.accept().await)
        };
        let (seat, accepted) = tokio::select! {
            accepted = accepted => accepted,
            () = stopped(&mut stop) => break,
        };
        let (stream, peer) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                warn!(%error, "a connection cannot be accepted");
                tokio::time::sleep(ACCEPT_PAUSE).await;
                continue;
            }
        };
        let Ok(seat) = seat else { break };
        let stream = Counted { stream, _seat: seat };
        tokio::spawn(serve_one((stream, peer.ip().to_canonical()), router.clone(), head_patience, stop.clone()));
    }
    drop(listener);
    // Once all seats are free again, all connections have ended.
    if tokio::time::timeout(GRACE, seats.acquire_many(limit)).await.is_err() {
        debug!("some connections did not end in time");
    }
}

async fn serve_one(
    (stream, peer): (Counted, IpAddr),
    router: Router,
    head_patience: Duration,
    mut stop: watch::Receiver<bool>,
) {
    // Without this the second of two small packets waits for the acknowledgement of the first, 40 ms.
    if let Err(error) = stream.stream.set_nodelay(true) {
        debug!(%error, "TCP_NODELAY cannot be set");
    }
    let service = service_fn(move |mut request: hyper::Request<Incoming>| {
        let router = router.clone();
        async move {
            if head_size(&request) > MAX_HEAD {
                let mut refused = Response::new(Body::empty());
                *refused.status_mut() = StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE;
                return Ok(refused);
            }
            request.extensions_mut().insert(Peer(peer));
            router.oneshot(request.map(Body::new)).await
        }
    });
    let connection = hyper::server::conn::http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(head_patience)
        .max_buf_size(MAX_HEAD)
        .serve_connection(TokioIo::new(stream), service)
        .with_upgrades();
    let mut connection = std::pin::pin!(connection);
    let outcome = tokio::select! {
        outcome = connection.as_mut() => outcome,
        () = stopped(&mut stop) => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = outcome {
        debug!(%error, "a connection broke");
    }
}

/// Bytes of a request's head, less what is the same for all. The limit of the buffer alone is not one: what comes in one read may be
/// larger.
fn head_size(request: &hyper::Request<Incoming>) -> usize {
    let fields = request.headers().iter().map(|(name, value)| name.as_str().len() + value.len() + ": \r\n".len());
    request.uri().path_and_query().map_or(0, |path| path.as_str().len()) + fields.sum::<usize>()
}

/// Ready once serving is to stop.
async fn stopped(stop: &mut watch::Receiver<bool>) {
    // An error means that nobody is left to say so, which is a stop too.
    let _ = stop.wait_for(|stop| *stop).await;
}

/// A connection that counts until it is closed, also after it became a WebSocket.
struct Counted {
    stream: TcpStream,
    _seat: OwnedSemaphorePermit,
}

impl AsyncRead for Counted {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buffer)
    }
}

impl AsyncWrite for Counted {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, parts)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    use super::*;

    /// However long this takes on a busy machine, it is no mistake.
    const PATIENCE: Duration = Duration::from_secs(60);

    #[tokio::test]
    async fn a_head_that_does_not_come_ends_the_connection() {
        let listener = bind("127.0.0.1", 0).await.unwrap();
        let address = listener.local_addr().unwrap();
        let connections = Connections::new(10, Duration::from_millis(50));
        let (stop, stopping) = watch::channel(false);
        let serving = tokio::spawn(serve(listener, Router::new(), connections.clone(), stopping));
        for begun in ["", "GET / HTTP/1.1\r\n", "GET / HTTP/1.1\r\nhost: x\r\nx-slow: 1"] {
            let mut stream = TcpStream::connect(address).await.unwrap();
            stream.write_all(begun.as_bytes()).await.unwrap();
            let mut answer = Vec::new();
            let ended = tokio::time::timeout(PATIENCE, stream.read_to_end(&mut answer)).await;
            assert!(ended.is_ok(), "{begun:?} is waited for");
            assert!(!answer.starts_with(b"HTTP/1.1 2"), "{begun:?}");
        }
        stop.send(true).unwrap();
        serving.await.unwrap();
        assert_eq!(connections.open(), 0, "every seat is free again");
    }
}
