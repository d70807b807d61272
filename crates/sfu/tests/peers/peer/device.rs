//! What a peer's device can do: payload types and header extension ids, as a browser or as mediasoup-client has them.

use std::sync::OnceLock;
use std::time::{Duration, Instant};

use serde_json::Value;
use sfu::{RtpCapabilities, RtpParameters, Workers};
use str0m::bwe::Bitrate;
use str0m::config::DtlsVersion;
use str0m::format::{Codec, FormatParams};
use str0m::media::{Frequency, Pt};
use str0m::rtp::Extension;
use str0m::{Rtc, RtcConfig};

/// What Chromium said through mediasoup-client.
const CHROMIUM: &str = include_str!("../../../../wire/tests/data/ortc/chromium-156-mediasoup-client-3.24.1.json");

/// ICE checks are repeated at this pace, so that a test need not wait long for them.
const CHECK_INTERVAL: Duration = Duration::from_millis(100);

/// The same of RTCP reports.
const REPORT_INTERVAL: Duration = Duration::from_millis(300);

/// The header extensions that str0m reads and writes.
const EXTENSIONS: [Extension; 7] = [
    Extension::AudioLevel,
    Extension::AbsoluteSendTime,
    Extension::TransportSequenceNumber,
    Extension::RtpMid,
    Extension::RtpStreamId,
    Extension::RepairedRtpStreamId,
    Extension::VideoOrientation,
];

/// The payload types and extension ids of one peer.
pub(crate) struct Device(RtcConfig);

impl Device {
    /// Sends as Chromium does: its payload types and extension ids, not the router's.
    pub(crate) fn publisher() -> Self {
        let (audio, video) = (chromium_parameters("audio"), chromium_parameters("video"));
        let codecs = audio
            .codecs
            .iter()
            .chain(&video.codecs)
            .map(|codec| (codec.mime_type.as_str(), codec.payload_type, codec.parameters.apt()));
        let extensions = audio.header_extensions.iter().chain(&video.header_extensions);
        Self::new(codecs.collect(), extensions.map(|extension| (extension.uri.as_str(), extension.id)))
    }

    /// Receives as mediasoup-client does: with the router's payload types and extension ids.
    pub(crate) fn viewer() -> Self {
        let RtpCapabilities { codecs, header_extensions } = Workers::rtp_capabilities();
        let codecs = codecs.iter().filter_map(|codec| {
            Some((codec.mime_type.as_str(), codec.preferred_payload_type?, codec.parameters.apt()))
        });
        let extensions = header_extensions.iter();
        Self::new(codecs.collect(), extensions.map(|extension| (extension.uri.as_str(), extension.preferred_id)))
    }

    /// Offers DTLS 1.3 and 1.2.
    pub(crate) fn with_dtls_1_3(self) -> Self {
        Self(self.0.set_dtls_version(DtlsVersion::Auto))
    }

    /// Estimates its upload from transport-wide feedback, and probes with padding.
    pub(crate) fn with_estimator(self, initial: Bitrate) -> Self {
        Self(self.0.enable_bwe(Some(initial)))
    }

    fn new<'a>(codecs: Vec<(&str, u8, Option<u8>)>, extensions: impl Iterator<Item = (&'a str, u8)>) -> Self {
        let mut config =
            RtcConfig::new().set_rtp_mode(true).enable_raw_packets(true).clear_codecs().clear_extension_map();
        config = config.set_rtcp_report_interval_audio(REPORT_INTERVAL).set_rtcp_report_interval_video(REPORT_INTERVAL);
        config.set_initial_stun_rto(CHECK_INTERVAL);
        config.set_max_stun_rto(CHECK_INTERVAL);
        for &(mime_type, payload_type, _) in &codecs {
            let rtx = codecs.iter().find(|(_, _, apt)| *apt == Some(payload_type)).map(|(_, rtx, _)| Pt::from(*rtx));
            let (codec, clock, channels) = match mime_type {
                "audio/opus" => (Codec::Opus, Frequency::FORTY_EIGHT_KHZ, Some(2)),
                "video/VP8" => (Codec::Vp8, Frequency::NINETY_KHZ, None),
                _ => continue,
            };
            let format = FormatParams::default();
            config.codec_config().add_config(payload_type.into(), rtx, codec, clock, channels, format);
        }
        for (uri, id) in extensions {
            if let Some(known) = EXTENSIONS.iter().find(|known| known.as_uri() == uri) {
                config = config.set_extension(id, known.clone());
            }
        }
        Self(config)
    }

    pub(super) fn build(self, now: Instant) -> Rtc {
        self.0.build(now)
    }
}

/// The parameters of Chromium's `audio` or `video` of one connection that has both, without streams.
pub(crate) fn chromium_parameters(kind: &str) -> RtpParameters {
    static RECORD: OnceLock<Value> = OnceLock::new();
    let record = RECORD.get_or_init(|| serde_json::from_str(CHROMIUM).expect("the record is JSON"));
    let parameters = record["produced"][format!("audio-then-video: {kind}")]["rtpParameters"].clone();
    let mut parameters: RtpParameters = serde_json::from_value(parameters).expect("the record has both kinds");
    parameters.encodings.clear();
    parameters
}
