//! One source of somebody else as it reaches this participant: media and retransmissions joined, and judged.

use std::time::{Duration, Instant};

use wire::extension::{ExtensionKind, ExtensionMap, Extensions, read_u16};
use wire::rtp::RtpHeader;
use wire::{ExtSeqNo, PayloadType, SeqNo, Ssrc};

use crate::quality::{Arrival, MediaKind, Quality, Viewer};
use crate::receive::{Place, Reception};

/// RTP clock units of an Opus frame of 20 ms.
const FRAME_TICKS: i64 = 960;

/// Something to watch, as negotiated.
#[derive(Clone, Copy, Debug)]
pub struct SinkSpec {
    /// Sound or picture.
    pub kind: MediaKind,
    /// SSRC of the media.
    pub ssrc: Ssrc,
    /// SSRC of retransmissions.
    pub rtx_ssrc: Option<Ssrc>,
    /// Payload type of the media.
    pub payload_type: PayloadType,
    /// Payload type of retransmissions.
    pub rtx_payload_type: Option<PayloadType>,
    /// Payload type of packets that carry earlier ones with them (RFC 2198).
    pub red_payload_type: Option<PayloadType>,
    /// RTP clock, in Hz.
    pub clock_rate: u32,
    /// Header extension ids.
    pub extensions: ExtensionMap,
    /// Whether lost packets are asked for.
    pub nack: bool,
}

/// The state of one sink.
pub(super) struct Sink {
    pub(super) spec: SinkSpec,
    pub(super) reception: Reception,
    pub(super) viewer: Viewer,
    /// Packets that carried earlier ones with them.
    redundant_packets: u64,
    /// Packets of another payload type than was negotiated.
    strange: u64,
}

impl Sink {
    pub(super) fn new(spec: SinkSpec) -> Self {
        Self {
            reception: Reception::new(spec.clock_rate, spec.nack),
            viewer: Viewer::new(spec.kind),
            redundant_packets: 0,
            strange: 0,
            spec,
        }
    }

    pub(super) fn claims(&self, ssrc: Ssrc) -> bool {
        ssrc == self.spec.ssrc || Some(ssrc) == self.spec.rtx_ssrc
    }

    /// The packet's number over all streams of the connection.
    pub(super) fn transport_wide(&self, packet: &[u8], header: &RtpHeader) -> Option<SeqNo> {
        let extensions = Extensions::parse(packet, header, &self.spec.extensions);
        extensions.get(packet, ExtensionKind::TransportWideCc).and_then(read_u16).map(SeqNo::new)
    }

    /// Takes in an opened packet.
    pub(super) fn receive(
        &mut self,
        now: Instant,
        unix_now: Duration,
        packet: &[u8],
        (header, seq): (&RtpHeader, ExtSeqNo),
    ) {
        let Ok((payload, _)) = header.payload(packet) else { return };
        let repaired = header.ssrc != self.spec.ssrc;
        if !repaired && Some(header.payload_type) == self.spec.red_payload_type {
            self.receive_redundant(now, unix_now, payload, (header, seq));
            return;
        }
        let expected = if repaired { self.spec.rtx_payload_type } else { Some(self.spec.payload_type) };
        if expected != Some(header.payload_type) {
            self.strange += 1;
            return;
        }
        let (seq, payload) = if repaired {
            // Padding that probes the path carries no number.
            let Some((original, payload)) = wire::rtx::read_osn(payload) else { return };
            let Some(seq) = self.reception.newest().and_then(|newest| newest.nearest(original)) else { return };
            (seq, payload)
        } else {
            self.reception.note_time(now, header.timestamp);
            (seq, payload)
        };
        let place = self.reception.receive(now, seq);
        let arrival =
            Arrival { seq, timestamp: header.timestamp, marker: header.marker, payload, repaired, place, unix_now };
        if let Some(start) = self.viewer.receive(now, &arrival) {
            self.reception.give_up_before(start);
        }
    }

    /// Takes in a packet that carries earlier ones with it, and first those of them that were lost.
    fn receive_redundant(
        &mut self,
        now: Instant,
        unix_now: Duration,
        payload: &[u8],
        (header, seq): (&RtpHeader, ExtSeqNo),
    ) {
        let Ok(red) = wire::red::parse(payload) else {
            self.strange += 1;
            return;
        };
        self.redundant_packets += 1;
        self.reception.note_time(now, header.timestamp);
        let place = self.reception.receive(now, seq);
        for block in red.blocks() {
            if block.payload_type != self.spec.payload_type {
                self.strange += 1;
                continue;
            }
            // Of silence nothing is sent, so what is within reach went before without a pause.
            let back = i64::from(block.timestamp_offset) / FRAME_TICKS;
            let is_primary = back == 0;
            if !is_primary && !self.reception.recover(seq.offset(-back)) {
                continue;
            }
            let arrival = Arrival {
                seq: seq.offset(-back),
                timestamp: header.timestamp.wrapping_add(u32::from(block.timestamp_offset).wrapping_neg()),
                marker: is_primary && header.marker,
                payload: block.bytes,
                repaired: !is_primary,
                place: if is_primary { place } else { Place::Late },
                unix_now,
            };
            self.viewer.receive(now, &arrival);
        }
    }

    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        self.reception.next_nack_at().into_iter().chain(self.viewer.poll_timeout()).min()
    }

    pub(super) fn quality(&self) -> Quality {
        Quality {
            packets: self.reception.unique(),
            missing: self.reception.missing() as u64,
            carriers: self.redundant_packets,
            nacked: self.reception.asked(),
            damaged: self.viewer.quality().damaged + self.strange,
            ..*self.viewer.quality()
        }
    }
}
