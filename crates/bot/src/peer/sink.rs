//! One source of somebody else as it reaches this participant: media and retransmissions joined, and judged.

use std::time::{Duration, Instant};

use wire::extension::{ExtensionKind, ExtensionMap, Extensions, read_u16};
use wire::rtp::RtpHeader;
use wire::{ExtSeqNo, PayloadType, SeqNo, Ssrc};

use crate::quality::{Arrival, MediaKind, Quality, Viewer};
use crate::receive::Reception;

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
    /// Packets of another payload type than was negotiated.
    strange: u64,
}

impl Sink {
    pub(super) fn new(spec: SinkSpec) -> Self {
        Self { reception: Reception::new(spec.clock_rate, spec.nack), viewer: Viewer::new(spec.kind), strange: 0, spec }
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

    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        self.reception.next_nack_at().into_iter().chain(self.viewer.poll_timeout()).min()
    }

    pub(super) fn quality(&self) -> Quality {
        Quality {
            packets: self.reception.unique(),
            missing: self.reception.missing() as u64,
            nacked: self.reception.asked(),
            damaged: self.viewer.quality().damaged + self.strange,
            ..*self.viewer.quality()
        }
    }
}
