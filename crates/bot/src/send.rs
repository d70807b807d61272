//! One RTP stream as sent: numbers, header extensions, retransmission on NACK, sender reports.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use rand::RngExt;
use rand::rngs::StdRng;
use wire::extension::{
    AudioLevel, ExtensionForm, ExtensionKind, ExtensionMap, ExtensionWriter, abs_send_time_bytes, audio_level_bytes,
};
use wire::red::{Block, MAX_REDUNDANT_LEN, MAX_TIMESTAMP_OFFSET};
use wire::rtcp::{NtpTime, ReportBlock, SenderInfo};
use wire::rtp::{HeaderFields, set_has_extension, write_header, write_padding};
use wire::{ExtSeqNo, Mid, PayloadType, Rid, RtpTimestamp, SeqNo, Ssrc};

use crate::output::Output;
use crate::secure::{Secure, SendStamp};

/// Packets kept for retransmission.
const MAX_HISTORY: usize = 1000;

/// No packet is sent again within the round trip and this; as libwebrtc.
const RESEND_MARGIN: Duration = Duration::from_millis(5);

/// Largest id of the one-byte form.
const ONE_BYTE_MAX_ID: u8 = 14;

/// One stream (encoding) of a source.
#[derive(Clone, Debug)]
pub struct StreamSpec {
    /// SSRC of the media.
    pub ssrc: Ssrc,
    /// SSRC of retransmissions; without it lost packets are sent again as they were.
    pub rtx_ssrc: Option<Ssrc>,
    /// Restriction identifier of a simulcast stream.
    pub rid: Option<Rid>,
    /// First sequence number; `None` takes a random one below 2^15, as browsers do.
    pub first_seq: Option<u16>,
}

/// What the streams of one source have in common.
#[derive(Clone, Debug)]
pub struct Negotiated {
    /// Media description identifier.
    pub mid: Option<Mid>,
    /// Payload type of the media.
    pub payload_type: PayloadType,
    /// Payload type of retransmissions.
    pub rtx_payload_type: Option<PayloadType>,
    /// Payload type of packets that carry so many earlier ones with them (RFC 2198).
    pub red: Option<(PayloadType, usize)>,
    /// Header extension ids.
    pub extensions: ExtensionMap,
    /// Canonical name in SDES.
    pub cname: String,
}

/// Figures of one outgoing stream.
#[derive(Clone, Copy, Debug, Default)]
pub struct SendStats {
    /// Media packets sent, retransmissions not counted.
    pub packets: u64,
    /// Their payload bytes.
    pub octets: u64,
    /// Packets of padding alone.
    pub padding: u64,
    /// Packets sent again.
    pub retransmitted: u64,
    /// Packets that the server asked for by NACK.
    pub nacked: u64,
    /// PLI and FIR received.
    pub key_frame_requests: u64,
    /// Shortest time between two of them.
    pub least_request_gap: Option<Duration>,
    /// Key frames sent.
    pub key_frames: u64,
    /// The server's last report about this stream.
    pub report: Option<ReportBlock>,
    /// Most packets that a report of the server claimed lost in total.
    pub most_reported_lost: i32,
}

struct Sent {
    seq: ExtSeqNo,
    timestamp: RtpTimestamp,
    marker: bool,
    payload: Vec<u8>,
    /// As it went out, where it has to be repeated to the bit.
    sealed: Option<Vec<u8>>,
    again_at: Option<Instant>,
}

/// One packet to send.
#[derive(Clone, Copy)]
pub(crate) struct Packet<'a> {
    pub(crate) timestamp: RtpTimestamp,
    pub(crate) marker: bool,
    pub(crate) payload: &'a [u8],
    /// Of audio: how loud it is.
    pub(crate) level: Option<AudioLevel>,
}

/// The state of one outgoing stream.
pub(crate) struct OutgoingStream {
    pub(crate) spec: StreamSpec,
    next: ExtSeqNo,
    next_rtx: ExtSeqNo,
    /// RTP time at the source's start: random (RFC 3550 §5.1).
    pub(crate) timestamp_base: u32,
    history: VecDeque<Sent>,
    /// The server has reported on the SSRC, so it needs no names any more.
    acknowledged: bool,
    last_request_at: Option<Instant>,
    pub(crate) stats: SendStats,
}

impl OutgoingStream {
    pub(crate) fn new(spec: StreamSpec, rng: &mut StdRng) -> Self {
        let first = spec.first_seq.unwrap_or_else(|| rng.random_range(0..1 << 15));
        Self {
            next: ExtSeqNo::first(SeqNo::new(first)),
            next_rtx: ExtSeqNo::new(rng.random_range(0..1 << 15)),
            timestamp_base: rng.random(),
            history: VecDeque::with_capacity(64),
            acknowledged: false,
            last_request_at: None,
            stats: SendStats::default(),
            spec,
        }
    }

    /// Sends one packet of media.
    pub(crate) fn send(
        &mut self,
        now: Instant,
        negotiated: &Negotiated,
        packet: Packet<'_>,
        secure: &mut Secure,
        out: &mut Output,
    ) {
        let seq = self.next;
        self.next = seq.next();
        self.stats.packets += 1;
        self.stats.octets += packet.payload.len() as u64;
        let fields = HeaderFields {
            marker: packet.marker,
            payload_type: negotiated.red.map_or(negotiated.payload_type, |(payload_type, _)| payload_type),
            seq: seq.truncate(),
            timestamp: packet.timestamp,
            ssrc: self.spec.ssrc,
        };
        let repeated = self.repeated(negotiated, &packet);
        let names = if self.acknowledged { (None, None) } else { (negotiated.mid, self.spec.rid) };
        let start = out.begin();
        secure.send_rtp(now, seq, out, |arena, stamp| {
            let elements = Elements { names, is_rtx: false, level: packet.level, stamp };
            let header_len = write(arena, &fields, &negotiated.extensions, &elements);
            match negotiated.red {
                None => arena.extend_from_slice(packet.payload),
                Some(_) => wire::red::write(arena, &repeated, negotiated.payload_type, packet.payload)
                    .expect("only what fits was chosen"),
            }
            header_len
        });
        let sealed = match (self.spec.rtx_ssrc, negotiated.rtx_payload_type) {
            (Some(_), Some(_)) => None,
            _ => out.arena().get(start..).map(<[u8]>::to_vec),
        };
        let mut payload = match self.history.len() {
            MAX_HISTORY => self.history.pop_front().map(|sent| sent.payload).unwrap_or_default(),
            _ => Vec::new(),
        };
        payload.clear();
        payload.extend_from_slice(packet.payload);
        let (timestamp, marker) = (packet.timestamp, packet.marker);
        self.history.push_back(Sent { seq, timestamp, marker, payload, sealed, again_at: None });
    }

    /// The earlier packets that go with this one, oldest first; those that do not fit are left out, as libwebrtc does.
    fn repeated(&self, negotiated: &Negotiated, packet: &Packet<'_>) -> Vec<Block<'_>> {
        let Some((_, count)) = negotiated.red else { return Vec::new() };
        let newest = self.history.iter().rev().take(count);
        let mut blocks: Vec<_> = newest
            .filter_map(|sent| {
                let offset = u16::try_from(packet.timestamp.wrapping_sub(sent.timestamp)).ok()?;
                let fits = offset <= MAX_TIMESTAMP_OFFSET && sent.payload.len() <= MAX_REDUNDANT_LEN;
                let payload_type = negotiated.payload_type;
                fits.then_some(Block { payload_type, timestamp_offset: offset, bytes: &sent.payload })
            })
            .collect();
        blocks.reverse();
        blocks
    }

    /// Sends a packet of padding alone under the next number, as browsers do to probe a path without RTX.
    pub(crate) fn send_padding(
        &mut self,
        now: Instant,
        negotiated: &Negotiated,
        timestamp: RtpTimestamp,
        secure: &mut Secure,
        out: &mut Output,
    ) {
        let seq = self.next;
        self.next = seq.next();
        self.stats.padding += 1;
        let fields = HeaderFields {
            marker: false,
            payload_type: negotiated.payload_type,
            seq: seq.truncate(),
            timestamp,
            ssrc: self.spec.ssrc,
        };
        secure.send_rtp(now, seq, out, |arena, stamp| {
            let start = arena.len();
            let elements = Elements { names: (negotiated.mid, self.spec.rid), is_rtx: false, level: None, stamp };
            let header_len = write(arena, &fields, &negotiated.extensions, &elements);
            write_padding(arena, start, 200);
            header_len
        });
    }

    /// Sends packets again that the server misses.
    pub(crate) fn receive_nack(
        &mut self,
        now: Instant,
        negotiated: &Negotiated,
        seqs: impl Iterator<Item = SeqNo>,
        round_trip: Duration,
        secure: &mut Secure,
        out: &mut Output,
    ) {
        for seq in seqs {
            self.stats.nacked += 1;
            let Some(wanted) = self.next.nearest(seq) else { continue };
            let Ok(index) = self.history.binary_search_by_key(&wanted, |sent| sent.seq) else { continue };
            let sent = &mut self.history[index];
            if sent.again_at.is_some_and(|at| now.saturating_duration_since(at) < round_trip + RESEND_MARGIN) {
                continue;
            }
            sent.again_at = Some(now);
            self.stats.retransmitted += 1;
            if let (Some(sealed), Some(pair)) = (&sent.sealed, secure.pair) {
                out.push(pair, sealed);
                continue;
            }
            let (Some(ssrc), Some(payload_type)) = (self.spec.rtx_ssrc, negotiated.rtx_payload_type) else { continue };
            let number = self.next_rtx;
            self.next_rtx = number.next();
            let fields = HeaderFields {
                marker: sent.marker,
                payload_type,
                seq: number.truncate(),
                timestamp: sent.timestamp,
                ssrc,
            };
            let names = (negotiated.mid, self.spec.rid);
            secure.send_rtp(now, number, out, |arena, stamp| {
                let elements = Elements { names, is_rtx: true, level: None, stamp };
                let header_len = write(arena, &fields, &negotiated.extensions, &elements);
                wire::rtx::write_osn(arena, seq);
                arena.extend_from_slice(&sent.payload);
                header_len
            });
        }
    }

    /// Notes the server's wish for a key frame.
    pub(crate) fn note_key_frame_request(&mut self, now: Instant) {
        self.stats.key_frame_requests += 1;
        if let Some(last) = self.last_request_at.replace(now) {
            let gap = now.saturating_duration_since(last);
            self.stats.least_request_gap = Some(self.stats.least_request_gap.map_or(gap, |least| least.min(gap)));
        }
    }

    /// Takes in what the server reports about this stream.
    pub(crate) fn receive_report(&mut self, block: ReportBlock) {
        self.acknowledged = true;
        self.stats.most_reported_lost = self.stats.most_reported_lost.max(block.cumulative_lost);
        self.stats.report = Some(block);
    }

    /// What a sender report says; `None` before the first packet.
    pub(crate) fn sender_info(&self, unix_now: Duration, rtp: RtpTimestamp) -> Option<SenderInfo> {
        (self.stats.packets > 0).then(|| SenderInfo {
            sender: self.spec.ssrc,
            ntp: NtpTime::from_system(unix_now),
            rtp,
            packet_count: (self.stats.packets + self.stats.padding) as u32,
            octet_count: self.stats.octets as u32,
        })
    }
}

/// What stands in the header extension of one packet.
struct Elements {
    names: (Option<Mid>, Option<Rid>),
    is_rtx: bool,
    level: Option<AudioLevel>,
    stamp: SendStamp,
}

/// Appends header and extension; the length of both.
fn write(out: &mut Vec<u8>, fields: &HeaderFields, map: &ExtensionMap, elements: &Elements) -> usize {
    let start = out.len();
    write_header(out, fields, false, false);
    let max_id = map.iter().map(|(id, _)| id).max().unwrap_or(0);
    let form = if max_id > ONE_BYTE_MAX_ID { ExtensionForm::TwoByte } else { ExtensionForm::OneByte };
    let mut writer = ExtensionWriter::new(out, form);
    let mut element = |kind, data: &[u8]| {
        if let Some(id) = map.id_of(kind) {
            writer.write(id, data);
        }
    };
    let (mid, rid) = &elements.names;
    if let Some(mid) = mid {
        element(ExtensionKind::Mid, mid.as_bytes());
    }
    if let Some(rid) = rid {
        let kind = if elements.is_rtx { ExtensionKind::RepairedRid } else { ExtensionKind::Rid };
        element(kind, rid.as_bytes());
    }
    element(ExtensionKind::TransportWideCc, &elements.stamp.transport_wide.to_be_bytes());
    element(ExtensionKind::AbsSendTime, &abs_send_time_bytes(elements.stamp.abs_send_time));
    if let Some(level) = elements.level {
        element(ExtensionKind::AudioLevel, &audio_level_bytes(level));
    }
    let has_extension = writer.finish();
    if let Some(packet) = out.get_mut(start..) {
        set_has_extension(packet, has_extension);
    }
    out.len() - start
}
