//! The media that a producer sends or a consumer receives, in mediasoup's JSON shape.

use std::collections::BTreeMap;
use std::fmt;

use serde::de::{Deserializer, Visitor};
use serde::{Deserialize, Serialize};

use super::lenient::{null_is_default, optional_bits};

/// Audio or video.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum MediaKind {
    /// Sound.
    Audio,
    /// Pictures.
    Video,
}

impl MediaKind {
    /// `audio` or `video`, as in JSON.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Audio => "audio",
            Self::Video => "video",
        }
    }

    /// The kind named by the first half of a MIME type; `None` when it is neither or there is no second half.
    pub fn of_mime_type(mime_type: &str) -> Option<Self> {
        let (kind, subtype) = mime_type.split_once('/')?;
        if subtype.is_empty() {
            return None;
        }
        [Self::Audio, Self::Video].into_iter().find(|known| kind.eq_ignore_ascii_case(known.as_str()))
    }
}

impl fmt::Display for MediaKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// One media stream, or one set of simulcast streams, as it is sent on a transport.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RtpParameters {
    /// Its media section (RFC 8843).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mid: Option<String>,
    /// Media and RTX codecs; the first is the one in use unless an encoding says otherwise.
    pub codecs: Vec<RtpCodecParameters>,
    /// Header extensions with their ids on this transport.
    #[serde(default, deserialize_with = "null_is_default")]
    pub header_extensions: Vec<RtpHeaderExtensionParameters>,
    /// The RTP streams; more than one is simulcast, smallest first.
    #[serde(default, deserialize_with = "null_is_default")]
    pub encodings: Vec<RtpEncodingParameters>,
    /// RTCP settings.
    #[serde(default, deserialize_with = "null_is_default")]
    pub rtcp: RtcpParameters,
    /// Stream and track id (RFC 8830).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub msid: Option<String>,
}

/// A codec in use, with its payload type.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RtpCodecParameters {
    /// Such as `audio/opus`; compared without regard to case.
    pub mime_type: String,
    /// The payload type in the RTP header, below 128.
    pub payload_type: u8,
    /// Clock of the RTP timestamps, in hertz.
    pub clock_rate: u32,
    /// Audio channels; `None` means one for audio and nothing for video.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub channels: Option<u8>,
    /// Format parameters (SDP `a=fmtp`).
    #[serde(default, deserialize_with = "null_is_default")]
    pub parameters: CodecParameters,
    /// RTCP feedback in use.
    #[serde(default, deserialize_with = "null_is_default")]
    pub rtcp_feedback: Vec<RtcpFeedback>,
}

/// Format parameters by name, such as `apt` or `profile-level-id`.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(transparent)]
pub struct CodecParameters(pub BTreeMap<String, ParameterValue>);

impl CodecParameters {
    /// The parameter as a whole number, also when it was written as a string of digits.
    pub fn number(&self, name: &str) -> Option<u64> {
        match self.0.get(name)? {
            ParameterValue::Number(number) => number.as_u64(),
            ParameterValue::Text(text) => text.trim().parse().ok(),
        }
    }

    /// As [`Self::number`], or what counts where the parameter is missing; `None` when it is there and no number.
    pub(super) fn number_or(&self, name: &str, missing: u64) -> Option<u64> {
        if self.0.contains_key(name) { self.number(name) } else { Some(missing) }
    }

    /// The parameter as text; a number (sdp-transform makes one of `420034`) as its digits.
    pub fn text(&self, name: &str) -> Option<String> {
        self.0.get(name).map(ParameterValue::to_string)
    }

    /// Whether the parameter is there and 1.
    pub fn is_one(&self, name: &str) -> bool {
        self.number(name) == Some(1)
    }

    /// The parameters of an RTX codec that repairs `payload_type` (RFC 4588 §8.1).
    pub(super) fn with_apt(payload_type: u8) -> Self {
        [("apt".to_owned(), ParameterValue::from(u32::from(payload_type)))].into_iter().collect()
    }

    /// The payload type that an RTX codec repairs (RFC 4588 §8.1).
    pub fn apt(&self) -> Option<u8> {
        self.number("apt").and_then(|number| u8::try_from(number).ok())
    }
}

impl FromIterator<(String, ParameterValue)> for CodecParameters {
    fn from_iter<I: IntoIterator<Item = (String, ParameterValue)>>(pairs: I) -> Self {
        Self(pairs.into_iter().collect())
    }
}

/// A format parameter: clients know strings and numbers only.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
#[serde(untagged)]
pub enum ParameterValue {
    /// Anything that is not a number.
    Text(String),
    /// A number, kept as it was written.
    Number(serde_json::Number),
}

impl fmt::Display for ParameterValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => f.write_str(text),
            Self::Number(number) => number.fmt(f),
        }
    }
}

impl From<u32> for ParameterValue {
    fn from(number: u32) -> Self {
        Self::Number(number.into())
    }
}

impl From<&str> for ParameterValue {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl<'de> Deserialize<'de> for ParameterValue {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ParameterValueVisitor)
    }
}

struct ParameterValueVisitor;

impl Visitor<'_> for ParameterValueVisitor {
    type Value = ParameterValue;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string or a number")
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<ParameterValue, E> {
        Ok(ParameterValue::Text(text.to_owned()))
    }

    fn visit_u64<E: serde::de::Error>(self, number: u64) -> Result<ParameterValue, E> {
        Ok(ParameterValue::Number(number.into()))
    }

    fn visit_i64<E: serde::de::Error>(self, number: i64) -> Result<ParameterValue, E> {
        Ok(ParameterValue::Number(number.into()))
    }

    fn visit_f64<E: serde::de::Error>(self, number: f64) -> Result<ParameterValue, E> {
        // A whole number that travelled as a float is the whole number that the sender meant.
        if number.fract() == 0.0 && number.abs() < f64::from(u32::MAX) {
            return Ok(ParameterValue::Number((number as i64).into()));
        }
        serde_json::Number::from_f64(number)
            .map(ParameterValue::Number)
            .ok_or_else(|| E::custom("expected a finite number"))
    }
}

/// One kind of RTCP feedback (SDP `a=rtcp-fb`).
#[derive(Clone, Debug, Deserialize, Eq, Hash, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RtcpFeedback {
    /// Such as `nack` or `ccm`.
    #[serde(rename = "type")]
    pub feedback_type: String,
    /// Such as `pli` or `fir`; empty when there is none.
    #[serde(default, deserialize_with = "null_is_default")]
    pub parameter: String,
}

impl RtcpFeedback {
    /// Feedback of this type with this parameter (empty: none).
    pub fn new(feedback_type: &str, parameter: &str) -> Self {
        Self { feedback_type: feedback_type.to_owned(), parameter: parameter.to_owned() }
    }

    /// Whether it is this type with this parameter (empty: none).
    pub fn is(&self, feedback_type: &str, parameter: &str) -> bool {
        self.feedback_type == feedback_type && self.parameter == parameter
    }
}

/// A header extension in use, with its id.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RtpHeaderExtensionParameters {
    /// What it is.
    pub uri: String,
    /// Its id in the packets (RFC 8285), 1 to 255 and never 15.
    pub id: u8,
    /// Whether it is encrypted (RFC 6904). We never do.
    #[serde(default, deserialize_with = "null_is_default")]
    pub encrypt: bool,
    /// Parameters of the extension; none are known today.
    #[serde(default, deserialize_with = "null_is_default")]
    pub parameters: CodecParameters,
}

/// One RTP stream with its RTX stream.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RtpEncodingParameters {
    /// Whether it is being sent now; `None` means yes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub active: Option<bool>,
    /// Its SSRC, where it is told in advance.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ssrc: Option<u32>,
    /// Its RID (RFC 8852), where streams are told apart by it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rid: Option<String>,
    /// The payload type of its codec; `None` means the first media codec.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub codec_payload_type: Option<u8>,
    /// Its RTX stream, where the SSRC is told in advance.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rtx: Option<RtxParameters>,
    /// Whether silence (or a still picture) may mean no packets at all.
    #[serde(default, deserialize_with = "null_is_default", skip_serializing_if = "is_false")]
    pub dtx: bool,
    /// Its layers, such as `L1T3` or `L3T3_KEY`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scalability_mode: Option<String>,
    /// How much smaller than the track each side is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scale_resolution_down_by: Option<f64>,
    /// Upper bound, in bits per second.
    #[serde(default, deserialize_with = "optional_bits", skip_serializing_if = "Option::is_none")]
    pub max_bitrate: Option<u64>,
    /// Upper bound, in frames per second.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_framerate: Option<f64>,
}

fn is_false(flag: &bool) -> bool {
    !flag
}

/// The RTX stream of an encoding.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct RtxParameters {
    /// Its SSRC.
    pub ssrc: u32,
}

/// RTCP settings of a media stream.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RtcpParameters {
    /// Canonical name (RFC 3550 §6.5.1): what has the same one is played in sync.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cname: Option<String>,
    /// Whether reduced-size RTCP is understood (RFC 5506).
    #[serde(default = "yes", deserialize_with = "null_is_yes")]
    pub reduced_size: bool,
    /// Whether RTCP shares the port with RTP; we know nothing else.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mux: Option<bool>,
}

impl Default for RtcpParameters {
    fn default() -> Self {
        Self { cname: None, reduced_size: true, mux: None }
    }
}

fn yes() -> bool {
    true
}

fn null_is_yes<'de, D: Deserializer<'de>>(deserializer: D) -> Result<bool, D::Error> {
    Ok(Option::<bool>::deserialize(deserializer)?.unwrap_or(true))
}
