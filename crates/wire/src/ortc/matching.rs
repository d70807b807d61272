//! Whether one end can read what the other sends, codec by codec.

use super::capabilities::RtpCodecCapability;
use super::h264;
use super::parameters::{CodecParameters, MediaKind, RtpCodecParameters};

/// Subtypes that carry no media of their own; a producer may list them and nothing comes of it.
const AUXILIARY: [&str; 7] = ["rtx", "red", "ulpfec", "flexfec", "flexfec-03", "telephone-event", "CN"];

/// What two codecs are compared by.
#[derive(Clone, Copy, Debug)]
pub(super) struct Format<'a> {
    kind: Option<MediaKind>,
    subtype: &'a str,
    clock_rate: u32,
    channels: Option<u8>,
    parameters: &'a CodecParameters,
}

impl<'a> Format<'a> {
    fn new(mime_type: &'a str, clock_rate: u32, channels: Option<u8>, parameters: &'a CodecParameters) -> Self {
        let (_, subtype) = mime_type.split_once('/').unwrap_or(("", mime_type));
        Self { kind: MediaKind::of_mime_type(mime_type), subtype, clock_rate, channels, parameters }
    }

    /// Whether it repairs another codec's packets (RFC 4588).
    pub(super) fn is_rtx(self) -> bool {
        self.subtype.eq_ignore_ascii_case("rtx")
    }

    /// Whether it carries sound together with sound that was sent before (RFC 2198).
    pub(super) fn is_red(self) -> bool {
        self.kind == Some(MediaKind::Audio) && self.subtype.eq_ignore_ascii_case("red")
    }

    /// Whether it can carry `codec` again.
    pub(super) fn repeats(self, codec: Format<'_>) -> bool {
        self.is_red() && codec.is_opus() && self.clock_rate == codec.clock_rate && self.channels == codec.channels
    }

    fn is_opus(self) -> bool {
        self.subtype.eq_ignore_ascii_case("opus")
    }

    /// Whether it carries sound or pictures by itself.
    pub(super) fn is_media(self) -> bool {
        !AUXILIARY.iter().any(|auxiliary| self.subtype.eq_ignore_ascii_case(auxiliary))
    }

    /// Whether it is H264, whose level is agreed upon.
    pub(super) fn is_h264(self) -> bool {
        self.subtype.eq_ignore_ascii_case("h264")
    }

    /// Whether one stream of it can carry spatial layers.
    pub(super) fn has_svc(self) -> bool {
        ["vp9", "av1"].iter().any(|layered| self.subtype.eq_ignore_ascii_case(layered))
    }

    /// Whether an end with this codec reads what `sender` sends.
    pub(super) fn receives(self, sender: Format<'_>) -> bool {
        let channels = |format: Format<'_>| match format.kind {
            Some(MediaKind::Audio) => format.channels.unwrap_or(1),
            _ => 0,
        };
        let same = self.kind == sender.kind
            && self.subtype.eq_ignore_ascii_case(sender.subtype)
            && self.clock_rate == sender.clock_rate
            && channels(self) == channels(sender);
        same && match self.subtype.to_ascii_lowercase().as_str() {
            "h264" => h264::receives(self.parameters, sender.parameters),
            "vp9" => same_vp9_profile(self.parameters, sender.parameters),
            "av1" => receives_av1(self.parameters, sender.parameters),
            _ => true,
        }
    }
}

impl<'a> From<&'a RtpCodecCapability> for Format<'a> {
    fn from(codec: &'a RtpCodecCapability) -> Self {
        Self::new(&codec.mime_type, codec.clock_rate, codec.channels, &codec.parameters)
    }
}

impl<'a> From<&'a RtpCodecParameters> for Format<'a> {
    fn from(codec: &'a RtpCodecParameters) -> Self {
        Self::new(&codec.mime_type, codec.clock_rate, codec.channels, &codec.parameters)
    }
}

/// Bit depth and chroma of VP9, which a decoder either has or has not (RFC 9628 §7). Firefox leaves 0 out.
fn same_vp9_profile(receiver: &CodecParameters, sender: &CodecParameters) -> bool {
    let profiles = receiver.number_or("profile-id", 0).zip(sender.number_or("profile-id", 0));
    profiles.is_some_and(|(decodes, sends)| decodes == sends)
}

/// A decoder of an AV1 profile decodes the lower ones too (AV1 §A.2). Our own table names none: it takes all.
fn receives_av1(receiver: &CodecParameters, sender: &CodecParameters) -> bool {
    let profiles = receiver.number_or("profile", u64::MAX).zip(sender.number_or("profile", 0));
    profiles.is_some_and(|(decodes, sends)| decodes >= sends)
}
