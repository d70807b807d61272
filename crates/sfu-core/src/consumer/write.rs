//! Writing one outgoing packet: a new header and extensions, the stored payload, adjusted picture ids.

use wire::codec::{CodecKind, vp8, vp9};
use wire::extension::{ExtensionForm, ExtensionKind, ExtensionMap, ExtensionWriter};
use wire::rtp::{HeaderFields, write_header};
use wire::{ExtSeqNo, PayloadType, RtpTimestamp, SeqNo, Ssrc};

use super::redundant::Repeated;
use super::{Consumer, Shift, Stamp};
use crate::producer::{Layer, StoredPacket, Stream};

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

/// Bytes of padding in one packet: the most there can be (RFC 3550 §5.1).
const PADDING: u8 = 255;

/// Largest element of the two-byte form (RFC 8285 §4.3).
const MAX_ELEMENT_LEN: usize = 255;

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
    pub(super) fn new(map: &ExtensionMap, codec: CodecKind) -> Self {
        let transport_wide = map.id_of(ExtensionKind::TransportWideCc);
        // Both tell a sender's estimator the same; the transport-wide number is the shorter.
        let abs_send_time = match transport_wide {
            Some(_) => None,
            None => map.id_of(ExtensionKind::AbsSendTime),
        };
        // Nothing else tells of the layers of AV1. The others have descriptors of their own, or none that decoders need.
        let is_of_use = |kind| codec == CodecKind::Av1 || kind != ExtensionKind::DependencyDescriptor;
        let copied = COPIED.map(|kind| map.id_of(kind).filter(|_| is_of_use(kind)).map(|id| (kind, id)));
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

    /// The form of elements that are none of the copied ones.
    fn form(&self) -> ExtensionForm {
        if self.needs_two_byte { ExtensionForm::TwoByte } else { ExtensionForm::OneByte }
    }

    /// The id of dependency descriptors, where they are copied.
    pub(super) fn descriptor(&self) -> Option<u8> {
        self.copied.iter().flatten().find(|(kind, _)| *kind == ExtensionKind::DependencyDescriptor).map(|&(_, id)| id)
    }
}

/// Under which numbers a packet is to be written.
#[derive(Clone, Copy)]
pub(crate) struct As {
    /// Number of the media stream.
    pub(crate) seq: ExtSeqNo,
    pub(crate) shift: Shift,
    /// Without payload.
    pub(crate) is_empty: bool,
    /// What goes with it again.
    pub(crate) repeated: Repeated,
    pub(crate) stamp: Stamp,
    /// Retransmission stream: SSRC, payload type and number there (RFC 4588).
    pub(crate) rtx: Option<(Ssrc, PayloadType, ExtSeqNo)>,
}

impl Consumer {
    /// Whether packets carry a transport-wide number.
    pub(crate) fn is_transport_wide(&self) -> bool {
        self.copied.transport_wide.is_some()
    }

    /// Appends the plain packet, which came in `stream`, and returns the length of its header, extensions included.
    pub(crate) fn write(
        &self,
        out: &mut Vec<u8>,
        (stream, packet): (&Stream, &StoredPacket<'_>),
        numbers: &As,
    ) -> usize {
        let start = out.len();
        let red = self.red_payload_type().filter(|_| !numbers.repeated.is_none());
        let (ssrc, payload_type, seq) = match numbers.rtx {
            Some((ssrc, payload_type, seq)) => (ssrc, payload_type, seq),
            None => (self.spec.ssrc, red.unwrap_or(self.spec.payload_type), numbers.seq),
        };
        let fields = HeaderFields {
            marker: !numbers.is_empty && self.is_marked(packet, numbers.shift),
            payload_type,
            seq: seq.truncate(),
            timestamp: packet.meta.timestamp.wrapping_add(numbers.shift.timestamp),
            ssrc,
        };
        write_header(out, &fields, false, false);
        if self.write_extensions(out, packet, numbers) {
            out[start] |= EXTENSION_BIT;
        }
        let header_len = out.len() - start;
        if numbers.rtx.is_some() {
            let original: SeqNo = numbers.seq.truncate();
            out.extend_from_slice(&original.get().to_be_bytes());
        }
        if numbers.is_empty {
            return header_len;
        }
        if red.is_some() {
            self.write_repeated(out, stream, packet, numbers.repeated);
            return header_len;
        }
        let payload_start = out.len();
        out.extend_from_slice(packet.payload());
        if numbers.shift.picture_id != 0 || numbers.shift.tl0_pic_idx != 0 {
            self.adjust_picture(&mut out[payload_start..], numbers.shift);
        }
        header_len
    }

    /// Whether padding can be sent beside its media.
    pub(crate) fn can_pad(&self) -> bool {
        self.is_transport_wide() && self.spec.rtx_ssrc.is_some() && self.spec.rtx_payload_type.is_some()
    }

    /// Appends a packet of padding alone in the retransmission stream, and returns the length of its header; `None` without
    /// such a stream.
    pub(crate) fn write_padding(&self, out: &mut Vec<u8>, index: ExtSeqNo, stamp: Stamp) -> Option<usize> {
        let (ssrc, payload_type) = (self.spec.rtx_ssrc?, self.spec.rtx_payload_type?);
        let start = out.len();
        let timestamp = self.last.map_or(RtpTimestamp::new(0), |last| last.timestamp);
        let timestamp = timestamp.wrapping_add(self.timestamp_shift());
        let fields = HeaderFields { marker: false, payload_type, seq: index.truncate(), timestamp, ssrc };
        write_header(out, &fields, true, true);
        let mut writer = ExtensionWriter::new(out, self.copied.form());
        self.write_own_extensions(&mut writer, &stamp);
        writer.finish();
        let header_len = out.len() - start;
        out.resize(out.len() + usize::from(PADDING), 0);
        if let Some(last) = out.last_mut() {
            *last = PADDING;
        }
        Some(header_len)
    }

    fn write_own_extensions(&self, writer: &mut ExtensionWriter<'_>, stamp: &Stamp) {
        let plan = &self.copied;
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
    }

    fn write_extensions(&self, out: &mut Vec<u8>, packet: &StoredPacket<'_>, numbers: &As) -> bool {
        let stamp = &numbers.stamp;
        let plan = &self.copied;
        let copied = plan
            .copied
            .iter()
            .flatten()
            .filter(|_| !numbers.is_empty)
            .filter_map(|&(kind, id)| packet.meta.extensions.get(packet.bytes, kind).map(|bytes| (id, bytes)));
        let is_long = |(_, bytes): (u8, &[u8])| bytes.len() > ONE_BYTE_MAX_LEN;
        let two_byte = plan.needs_two_byte || copied.clone().any(is_long);
        let form = if two_byte { ExtensionForm::TwoByte } else { ExtensionForm::OneByte };
        let mut writer = ExtensionWriter::new(out, form);
        self.write_own_extensions(&mut writer, stamp);
        for (id, bytes) in copied {
            if numbers.shift.frame_number != 0 && Some(id) == plan.descriptor() {
                write_renumbered(&mut writer, id, bytes, numbers.shift.frame_number);
            } else {
                writer.write(id, bytes);
            }
        }
        writer.finish()
    }

    fn is_marked(&self, packet: &StoredPacket<'_>, shift: Shift) -> bool {
        packet.meta.marker || shift.talkspurt == Some(packet.meta.seq) || self.ends_picture(packet, shift.limit)
    }

    /// Whether the packet is the last of its picture now that the spatial layers above are left out.
    fn ends_picture(&self, packet: &StoredPacket<'_>, limit: Layer) -> bool {
        self.is_layered() && packet.meta.frame.ends && packet.meta.frame.layer.spatial == limit.spatial
    }

    fn adjust_picture(&self, payload: &mut [u8], shift: Shift) {
        match self.codec {
            CodecKind::Vp8 => {
                let Ok(descriptor) = vp8::Descriptor::parse(payload) else { return };
                if let Some(id) = descriptor.picture_id {
                    vp8::set_picture_id(payload, &descriptor, id.value.wrapping_add(shift.picture_id));
                }
                if let Some(index) = descriptor.tl0_pic_idx {
                    vp8::set_tl0_pic_idx(payload, &descriptor, index.wrapping_add(shift.tl0_pic_idx));
                }
            }
            CodecKind::Vp9 => {
                let Ok(descriptor) = vp9::Descriptor::parse(payload) else { return };
                if let Some(id) = descriptor.picture_id {
                    vp9::set_picture_id(payload, &descriptor, id.value.wrapping_add(shift.picture_id));
                }
                if let Some(index) = descriptor.tl0_pic_idx {
                    vp9::set_tl0_pic_idx(payload, &descriptor, index.wrapping_add(shift.tl0_pic_idx));
                }
            }
            CodecKind::Opus | CodecKind::H264 | CodecKind::Av1 => {}
        }
    }
}

/// Writes a dependency descriptor whose frame number, its second and third byte, is `shift` higher.
fn write_renumbered(writer: &mut ExtensionWriter<'_>, id: u8, bytes: &[u8], shift: u16) {
    let mut copy = [0; MAX_ELEMENT_LEN];
    let (Some(copy), [_, high, low, ..]) = (copy.get_mut(..bytes.len()), bytes) else { return };
    copy.copy_from_slice(bytes);
    let number = u16::from_be_bytes([*high, *low]).wrapping_add(shift);
    copy[1..3].copy_from_slice(&number.to_be_bytes());
    writer.write(id, copy);
}
