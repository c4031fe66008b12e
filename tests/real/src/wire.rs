//! What travels over the loopback interface: a capture of TCP payloads by a packet socket. Needs root (CAP_NET_RAW), as the
//! clusters do.

use std::os::fd::AsRawFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;

use anyhow::{Context, Result, anyhow, bail};
use nix::sys::socket::{
    AddressFamily, MsgFlags, SockFlag, SockProtocol, SockType, recv, setsockopt, socket, sockopt,
};
use nix::sys::time::{TimeVal, TimeValLike};

/// One segment's payload and its ports.
pub struct Segment {
    pub from: u16,
    pub to: u16,
    pub payload: Vec<u8>,
}

/// A running capture.
pub struct Capture {
    stop: Arc<AtomicBool>,
    reader: JoinHandle<Result<Vec<Segment>>>,
}

/// What was captured.
pub struct Captured(Vec<Segment>);

impl Capture {
    pub fn start() -> Result<Capture> {
        let fd = socket(AddressFamily::Packet, SockType::Raw, SockFlag::SOCK_CLOEXEC, SockProtocol::EthAll)
            .context("no packet socket; the capture needs root")?;
        setsockopt(&fd, sockopt::ReceiveTimeout, &TimeVal::milliseconds(200))?;
        setsockopt(&fd, sockopt::RcvBuf, &(64 << 20))?;
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = stop.clone();
        let reader = std::thread::spawn(move || {
            let (mut segments, mut bytes) = (Vec::new(), 0);
            let mut frame = vec![0; FRAME_BYTES_MAX];
            while !stopped.load(Ordering::Relaxed) {
                match recv(fd.as_raw_fd(), &mut frame, MsgFlags::empty()) {
                    Ok(len) => {
                        if let Some(segment) = frame.get(..len).and_then(segment) {
                            bytes += segment.payload.len();
                            segments.push(segment);
                        }
                    }
                    Err(nix::errno::Errno::EAGAIN | nix::errno::Errno::EINTR) => {}
                    Err(why) => return Err(anyhow!(why).context("the capture broke")),
                }
                if bytes > CAPTURE_BYTES_MAX {
                    bail!("more than {CAPTURE_BYTES_MAX} bytes were captured");
                }
            }
            Ok(segments)
        });
        Ok(Capture { stop, reader })
    }

    pub fn finish(self) -> Result<Captured> {
        self.stop.store(true, Ordering::Relaxed);
        self.reader.join().map_err(|_| anyhow!("the capture panicked"))?.map(Captured)
    }
}

impl Captured {
    /// Bytes that went to or came from a port.
    pub fn bytes(&self, port: u16) -> usize {
        self.of(port).map(|segment| segment.payload.len()).sum()
    }

    /// Whether a segment to or from the port holds the text.
    pub fn shows(&self, port: u16, text: &str) -> bool {
        self.of(port)
            .any(|segment| segment.payload.windows(text.len()).any(|window| window == text.as_bytes()))
    }

    fn of(&self, port: u16) -> impl Iterator<Item = &Segment> {
        self.0.iter().filter(move |segment| segment.from == port || segment.to == port)
    }
}

/// The TCP payload of an Ethernet frame with IPv4; nothing of other frames, and nothing of empty segments.
fn segment(frame: &[u8]) -> Option<Segment> {
    const ETHERNET_BYTES: usize = 14;
    const TCP: u8 = 6;
    let word = |at: &[u8], i: usize| Some(u16::from_be_bytes([*at.get(i)?, *at.get(i + 1)?]));
    if word(frame, 12)? != 0x0800 {
        return None;
    }
    let ip = frame.get(ETHERNET_BYTES..)?;
    let ip = ip.get(..usize::from(word(ip, 2)?))?;
    if *ip.get(9)? != TCP {
        return None;
    }
    let tcp = ip.get(usize::from(ip.first()? & 0xf) * 4..)?;
    let payload = tcp.get(usize::from(tcp.get(12)? >> 4) * 4..)?;
    if payload.is_empty() {
        return None;
    }
    Some(Segment { from: word(tcp, 0)?, to: word(tcp, 2)?, payload: payload.to_vec() })
}

/// The loopback interface's largest frame is 64 KiB and some.
const FRAME_BYTES_MAX: usize = 128 << 10;
const CAPTURE_BYTES_MAX: usize = 512 << 20;
