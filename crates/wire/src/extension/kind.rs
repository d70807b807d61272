//! The header extensions we understand, and which id each has on one connection.

/// A header extension that we understand.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[repr(u8)]
pub enum ExtensionKind {
    /// Media section of the packet's stream (RFC 9143 §15.2).
    Mid,
    /// Simulcast encoding of the packet's stream (RFC 8852 §3.1).
    Rid,
    /// Simulcast encoding that a retransmission stream repairs (RFC 8852 §3.2).
    RepairedRid,
    /// When the packet left the sender, 24 bits of 6.18 seconds.
    AbsSendTime,
    /// Sequence number over all streams of a transport (draft-holmer-rmcat-transport-wide-cc-extensions-01 §2).
    TransportWideCc,
    /// Loudness of the audio (RFC 6464).
    AudioLevel,
    /// Rotation of the picture (3GPP TS 26.114 §7.4.5).
    VideoOrientation,
    /// Time between the packet's timestamp and its sending (RFC 5450).
    TransmissionOffset,
    /// When the media was captured, in NTP time.
    AbsCaptureTime,
    /// Bounds for the receiver's buffer.
    PlayoutDelay,
    /// Which frames and layers the packet depends on (AV1 RTP specification, appendix A).
    DependencyDescriptor,
    /// Layers that the sender produces, with rates and sizes.
    VideoLayersAllocation,
}

impl ExtensionKind {
    /// Number of kinds.
    pub const COUNT: usize = 12;

    /// Every kind, in the order of its number.
    pub const ALL: [Self; Self::COUNT] = [
        Self::Mid,
        Self::Rid,
        Self::RepairedRid,
        Self::AbsSendTime,
        Self::TransportWideCc,
        Self::AudioLevel,
        Self::VideoOrientation,
        Self::TransmissionOffset,
        Self::AbsCaptureTime,
        Self::PlayoutDelay,
        Self::DependencyDescriptor,
        Self::VideoLayersAllocation,
    ];

    /// The name under which the extension is negotiated.
    pub const fn uri(self) -> &'static str {
        match self {
            Self::Mid => "urn:ietf:params:rtp-hdrext:sdes:mid",
            Self::Rid => "urn:ietf:params:rtp-hdrext:sdes:rtp-stream-id",
            Self::RepairedRid => "urn:ietf:params:rtp-hdrext:sdes:repaired-rtp-stream-id",
            Self::AbsSendTime => "http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time",
            Self::TransportWideCc => "http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01",
            Self::AudioLevel => "urn:ietf:params:rtp-hdrext:ssrc-audio-level",
            Self::VideoOrientation => "urn:3gpp:video-orientation",
            Self::TransmissionOffset => "urn:ietf:params:rtp-hdrext:toffset",
            Self::AbsCaptureTime => "http://www.webrtc.org/experiments/rtp-hdrext/abs-capture-time",
            Self::PlayoutDelay => "http://www.webrtc.org/experiments/rtp-hdrext/playout-delay",
            Self::DependencyDescriptor => {
                "https://aomediacodec.github.io/av1-rtp-spec/#dependency-descriptor-rtp-header-extension"
            }
            Self::VideoLayersAllocation => "http://www.webrtc.org/experiments/rtp-hdrext/video-layers-allocation00",
        }
    }

    /// The kind negotiated under this name.
    pub fn from_uri(uri: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.uri() == uri)
    }

    /// Place of the kind in [`Self::ALL`].
    pub const fn index(self) -> usize {
        self as usize
    }
}

/// Ids below this are looked up directly; the others, which only the two-byte form has, are searched.
const DIRECT_IDS: usize = 16;

/// Which id means which extension, both ways.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct ExtensionMap {
    /// By kind; 0 where the kind has no id.
    ids: [u8; ExtensionKind::COUNT],
    kinds: [Option<ExtensionKind>; DIRECT_IDS],
}

impl ExtensionMap {
    /// A map in which no id means anything.
    pub const fn new() -> Self {
        Self { ids: [0; ExtensionKind::COUNT], kinds: [None; DIRECT_IDS] }
    }

    /// Gives `id` to `kind`. Refused, with `false`, for id 0 and when either already has a different partner.
    pub fn insert(&mut self, id: u8, kind: ExtensionKind) -> bool {
        match (self.kind_of(id), self.id_of(kind)) {
            (None, None) if id != 0 => {}
            (Some(known), _) => return known == kind,
            _ => return false,
        }
        if let Some(slot) = self.ids.get_mut(kind.index()) {
            *slot = id;
        }
        if let Some(slot) = self.kinds.get_mut(usize::from(id)) {
            *slot = Some(kind);
        }
        true
    }

    /// What `id` means.
    #[inline]
    pub fn kind_of(&self, id: u8) -> Option<ExtensionKind> {
        if id == 0 {
            return None;
        }
        if let Some(&kind) = self.kinds.get(usize::from(id)) {
            return kind;
        }
        ExtensionKind::ALL.into_iter().zip(self.ids).find(|&(_, known)| known == id).map(|(kind, _)| kind)
    }

    /// The id of `kind`.
    #[inline]
    pub fn id_of(&self, kind: ExtensionKind) -> Option<u8> {
        self.ids.get(kind.index()).copied().filter(|&id| id != 0)
    }

    /// Every pair, in the order of kinds.
    pub fn iter(&self) -> impl Iterator<Item = (u8, ExtensionKind)> + '_ {
        self.ids.into_iter().zip(ExtensionKind::ALL).filter(|&(id, _)| id != 0)
    }
}

impl Default for ExtensionMap {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_is_found_by_its_uri_and_index() {
        for (index, kind) in ExtensionKind::ALL.into_iter().enumerate() {
            assert_eq!(ExtensionKind::from_uri(kind.uri()), Some(kind));
            assert_eq!(kind.index(), index);
        }
        assert_eq!(ExtensionKind::from_uri("urn:ietf:params:rtp-hdrext:encrypt"), None);
    }

    #[test]
    fn ids_of_both_forms_are_found_both_ways() {
        let mut map = ExtensionMap::new();
        for (id, kind) in [1, 14, 15, 16, 255].into_iter().zip(ExtensionKind::ALL) {
            assert!(map.insert(id, kind), "{id}");
            assert_eq!(map.kind_of(id), Some(kind));
            assert_eq!(map.id_of(kind), Some(id));
        }
        assert_eq!(map.iter().count(), 5);
        assert_eq!(map.kind_of(2), None);
        assert_eq!(map.kind_of(200), None);
        assert_eq!(map.id_of(ExtensionKind::VideoLayersAllocation), None);
    }

    #[test]
    fn an_id_and_a_kind_belong_to_each_other_only() {
        let mut map = ExtensionMap::new();
        assert!(!map.insert(0, ExtensionKind::Mid));
        assert!(map.insert(3, ExtensionKind::Mid));
        assert!(map.insert(3, ExtensionKind::Mid), "said twice");
        assert!(!map.insert(3, ExtensionKind::Rid), "id taken");
        assert!(!map.insert(4, ExtensionKind::Mid), "kind taken");
        assert_eq!(map.kind_of(3), Some(ExtensionKind::Mid));
        assert_eq!(map.kind_of(0), None);
    }
}
