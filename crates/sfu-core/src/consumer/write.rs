//! Writing one outgoing packet: a new header and extensions, the stored payload, adjusted picture ids.

use wire::codec::{CodecKind, vp8};
use wire::extension::{ExtensionForm, ExtensionKind, ExtensionMap, ExtensionWriter};
use wire::rtp::{HeaderFields, write_header};
use wire::{ExtSeqNo, PayloadType, SeqNo, Ssrc};

use super::{Consumer, Shift, Stamp};
use crate::producer::StoredPacket;

/// Extensions whose meaning does not change on the way. Transmission offset is not among them: it would
/// tell of another sending than ours; nor is the layers allocation: it tells of streams the receiver
/// does not get.
const COPIED: [ExtensionKind; 5] = [
    ExtensionKind::AudioLevel,
    ExtensionKind::VideoOrientation,
    ExtensionKind::AbsCaptureTime,
    ExtensionKind::PlayoutDelay,
    ExtensionKind::DependencyDescriptor,
];

/// Largest element of the one-byte form (RFC 8285 §4.2).
const ONE_BYTE_MAX_LEN: usize = 16;

/// Largest id of the one-byte form.
const ONE_BYTE_MAX_ID: u8 = 14;

/// The X bit in the first byte of an RTP header.
const EXTENSION_BIT: u8 = 0x10;

/// Which elements a consumer copies, and under which ids it writes what it knows itself.
pub(super) struct CopiedExtensions {
    copied: [Option<(ExtensionKind, u8)>; COPIED.len()],
    mid: Option<u8>,
    transport_wide: Option<u8>,
    abs_send_time: Option<u8>,
    needs_two_byte: bool,
}

impl CopiedExtensions {
    pub(super) fn new(map: &ExtensionMap) -> Self {
        let transport_wide = map.id_of(ExtensionKind::TransportWideCc);
        // Both tell a sender's estimator the same; the transport-wide number is the shorter.
        let abs_send_time = match transport_wide {
            Some(_) => None,
            None => map.id_of(ExtensionKind::AbsSendTime),
        };
        let copied = COPIED.map(|kind| map.id_of(kind).map(|id| (kind, id)));
        let mid = map.id_of(ExtensionKind::Mid);
        let needs_two_byte = copied
            .iter()
            .flatten()
            .map(|&(_, id)| id)
            .chain(mid)
            .chain(transport_wide)
            .chain(abs_send_time)
            .any(|id| id > ONE_BYTE_MAX_ID);
        Self { copied, mid, transport_wide, abs_send_time, needs_two_byte }
    }
}

/// Under which numbers a packet is to be written.
#[derive(Clone, Copy)]
pub(crate) struct As {
    /// Number of the media stream.
    pub(crate) seq: ExtSeqNo,
    pub(crate) shift: Shift,
    pub(crate) stamp: Stamp,
    /// Retransmission stream: SSRC, payload type and number there (RFC 4588).
    pub(crate) rtx: Option<(Ssrc, PayloadType, ExtSeqNo)>,
}

impl Consumer {
    /// Whether packets carry a transport-wide number.
    pub(crate) fn is_transport_wide(&self) -> bool {
        self.copied.transport_wide.is_some()
    }

    /// Appends the plain packet and returns the length of its header, extensions included.
    pub(crate) fn write(&self, out: &mut Vec<u8>, packet: &StoredPacket<'_>, numbers: &As) -> usize {
        let start = out.len();
        let (ssrc, payload_type, seq) = match numbers.rtx {
            Some((ssrc, payload_type, seq)) => (ssrc, payload_type, seq),
            None => (self.spec.ssrc, self.spec.payload_type, numbers.seq),
        };
        let fields = HeaderFields {
            marker: packet.meta.marker || numbers.shift.talkspurt == Some(packet.meta.seq),
            payload_type,
            seq: seq.truncate(),
            timestamp: packet.meta.timestamp.wrapping_add(numbers.shift.timestamp),
            ssrc,
        };
        write_header(out, &fields, false, false);
        if self.write_extensions(out, packet, &numbers.stamp) {
            out[start] |= EXTENSION_BIT;
        }
        let header_len = out.len() - start;
        if numbers.rtx.is_some() {
            let original: SeqNo = numbers.seq.truncate();
            out.extend_from_slice(&original.get().to_be_bytes());
        }
        let payload_start = out.len();
        out.extend_from_slice(packet.payload());
        if numbers.shift.picture_id != 0 || numbers.shift.tl0_pic_idx != 0 {
            self.adjust_picture(&mut out[payload_start..], numbers.shift);
        }
        header_len
    }

    fn write_extensions(&self, out: &mut Vec<u8>, packet: &StoredPacket<'_>, stamp: &Stamp) -> bool {
        let plan = &self.copied;
        let copied = plan
            .copied
            .iter()
            .flatten()
            .filter_map(|&(kind, id)| packet.meta.extensions.get(packet.bytes, kind).map(|bytes| (id, bytes)));
        let is_long = |(_, bytes): (u8, &[u8])| bytes.len() > ONE_BYTE_MAX_LEN;
        let two_byte = plan.needs_two_byte || copied.clone().any(is_long);
        let form = if two_byte { ExtensionForm::TwoByte } else { ExtensionForm::OneByte };
        let mut writer = ExtensionWriter::new(out, form);
        if let (Some(id), Some(mid)) = (plan.mid, &self.spec.mid) {
            writer.write(id, mid.as_bytes());
        }
        if let Some(id) = plan.transport_wide {
            writer.write(id, &stamp.transport_wide.to_be_bytes());
        }
        if let Some(id) = plan.abs_send_time {
            let [_, bytes @ ..] = stamp.abs_send_time.to_be_bytes();
            writer.write(id, &bytes);
        }
        for (id, bytes) in copied {
            writer.write(id, bytes);
        }
        writer.finish()
    }

    fn adjust_picture(&self, payload: &mut [u8], shift: Shift) {
        if self.codec != CodecKind::Vp8 {
            return;
        }
        let Ok(descriptor) = vp8::Descriptor::parse(payload) else { return };
        if let Some(id) = descriptor.picture_id {
            vp8::set_picture_id(payload, &descriptor, id.value.wrapping_add(shift.picture_id));
        }
        if let Some(index) = descriptor.tl0_pic_idx {
            vp8::set_tl0_pic_idx(payload, &descriptor, index.wrapping_add(shift.tl0_pic_idx));
        }
    }
}
