//! Checks of everything that a client sends before anything is made of it; an error names the field by its path.
//!
//! Text that travels on into other people's session descriptions (parameters, cname, msid) is held to characters
//! that cannot begin a new line there.

use std::collections::HashSet;

use crate::extension::ExtensionKind;
use crate::ids::{MAX_NAME_LEN, Mid, Rid};

use super::capabilities::{RtpCapabilities, RtpHeaderExtension};
use super::error::FieldError;
use super::matching::Format;
use super::parameters::{
    CodecParameters, MediaKind, ParameterValue, RtcpFeedback, RtpCodecParameters, RtpEncodingParameters,
    RtpHeaderExtensionParameters, RtpParameters,
};
use super::transport::DtlsParameters;

/// Codecs in one set of capabilities or parameters: as many as there are payload types. Chromium lists about 50.
pub const MAX_CODECS: usize = 128;
/// Header extensions in one set. Chromium lists about 25 over both kinds.
pub const MAX_HEADER_EXTENSIONS: usize = 64;
/// Simulcast streams of one producer; browsers make at most three.
pub const MAX_ENCODINGS: usize = 4;
/// Kinds of RTCP feedback of one codec; browsers list at most seven.
pub const MAX_RTCP_FEEDBACK: usize = 16;
/// Format parameters of one codec.
pub const MAX_CODEC_PARAMETERS: usize = 32;
/// Certificate fingerprints of one transport: one for each known hash function and a few to spare.
pub const MAX_FINGERPRINTS: usize = 8;
/// Bytes of a MIME type.
pub const MAX_MIME_TYPE_LEN: usize = 64;
/// Bytes of the name of a format parameter.
pub const MAX_PARAMETER_NAME_LEN: usize = 64;
/// Bytes of a format parameter; `sprop-parameter-sets` is the longest in use.
pub const MAX_PARAMETER_LEN: usize = 512;
/// Bytes of the type or the parameter of RTCP feedback.
pub const MAX_FEEDBACK_LEN: usize = 32;
/// Bytes of a header extension's URI.
pub const MAX_URI_LEN: usize = 256;
/// Bytes of a canonical name: what an SDES item holds (RFC 3550 §6.5).
pub const MAX_CNAME_LEN: usize = 255;
/// Bytes of a stream and track id: two of at most 64 (RFC 8830 §2) with a space; client libraries allow more.
pub const MAX_MSID_LEN: usize = 256;
/// Bytes of a scalability mode; the longest known is `L3T3_KEY_SHIFT`.
pub const MAX_SCALABILITY_MODE_LEN: usize = 32;

type Checked = Result<(), FieldError>;

/// Checks what a device says it can receive.
pub fn validate_rtp_capabilities(capabilities: &RtpCapabilities) -> Checked {
    let root = "rtpCapabilities";
    check_count(&format!("{root}.codecs"), capabilities.codecs.len(), 0, MAX_CODECS)?;
    for (at, codec) in capabilities.codecs.iter().enumerate() {
        let path = format!("{root}.codecs[{at}]");
        check_codec(&path, &codec.mime_type, codec.clock_rate, codec.channels)?;
        if MediaKind::of_mime_type(&codec.mime_type) != Some(codec.kind) {
            return Err(FieldError::new(format!("{path}.kind"), format!("does not agree with {}", codec.mime_type)));
        }
        if let Some(payload_type) = codec.preferred_payload_type {
            check_payload_type(&format!("{path}.preferredPayloadType"), payload_type)?;
        }
        check_parameters(&format!("{path}.parameters"), &codec.parameters)?;
        check_feedback(&format!("{path}.rtcpFeedback"), &codec.rtcp_feedback)?;
    }
    check_count(&format!("{root}.headerExtensions"), capabilities.header_extensions.len(), 0, MAX_HEADER_EXTENSIONS)?;
    for (at, RtpHeaderExtension { uri, preferred_id, .. }) in capabilities.header_extensions.iter().enumerate() {
        let path = format!("{root}.headerExtensions[{at}]");
        check_text(&format!("{path}.uri"), uri, 1, MAX_URI_LEN, is_visible)?;
        check_extension_id(&format!("{path}.preferredId"), *preferred_id)?;
    }
    Ok(())
}

/// Checks what a client says it is going to send.
pub fn validate_rtp_parameters(kind: MediaKind, parameters: &RtpParameters) -> Checked {
    let root = "rtpParameters";
    if let Some(mid) = &parameters.mid
        && Mid::new(mid).is_none()
    {
        return Err(FieldError::new(
            format!("{root}.mid"),
            format!("must be 1 to {MAX_NAME_LEN} characters that SDP allows in a token"),
        ));
    }
    check_codecs(kind, &parameters.codecs)?;
    check_extensions(&parameters.header_extensions)?;
    check_encodings(parameters)?;
    if let Some(cname) = &parameters.rtcp.cname {
        check_text(&format!("{root}.rtcp.cname"), cname, 0, MAX_CNAME_LEN, is_visible)?;
    }
    if parameters.rtcp.mux == Some(false) {
        return Err(FieldError::new(
            format!("{root}.rtcp.mux"),
            "must be true or left out: RTCP shares the port of RTP",
        ));
    }
    if let Some(msid) = &parameters.msid {
        check_msid(&format!("{root}.msid"), msid)?;
    }
    Ok(())
}

/// Checks what a client says about its end of the DTLS handshake.
pub fn validate_dtls_parameters(parameters: &DtlsParameters) -> Checked {
    let root = "dtlsParameters.fingerprints";
    check_count(root, parameters.fingerprints.len(), 1, MAX_FINGERPRINTS)?;
    for (at, fingerprint) in parameters.fingerprints.iter().enumerate() {
        if fingerprint.hash().is_none() {
            let (algorithm, bytes) = (fingerprint.algorithm, fingerprint.algorithm.hash_len());
            return Err(FieldError::new(
                format!("{root}[{at}].value"),
                format!("must be {bytes} pairs of hexadecimal digits between colons for {algorithm}"),
            ));
        }
    }
    Ok(())
}

fn check_codecs(kind: MediaKind, codecs: &[RtpCodecParameters]) -> Checked {
    let root = "rtpParameters.codecs";
    check_count(root, codecs.len(), 1, MAX_CODECS)?;
    let mut payload_types = HashSet::new();
    for (at, codec) in codecs.iter().enumerate() {
        let path = format!("{root}[{at}]");
        check_codec(&path, &codec.mime_type, codec.clock_rate, codec.channels)?;
        if MediaKind::of_mime_type(&codec.mime_type) != Some(kind) {
            return Err(FieldError::new(format!("{path}.mimeType"), format!("is not {kind}: {}", codec.mime_type)));
        }
        check_payload_type(&format!("{path}.payloadType"), codec.payload_type)?;
        if !payload_types.insert(codec.payload_type) {
            return Err(FieldError::new(format!("{path}.payloadType"), "stands more than once"));
        }
        check_parameters(&format!("{path}.parameters"), &codec.parameters)?;
        check_feedback(&format!("{path}.rtcpFeedback"), &codec.rtcp_feedback)?;
    }
    for (at, codec) in codecs.iter().enumerate().filter(|(_, codec)| Format::from(*codec).is_rtx()) {
        let path = format!("{root}[{at}].parameters.apt");
        match codec.parameters.apt() {
            None => return Err(FieldError::new(path, "must be the payload type that this codec repairs")),
            Some(apt) if apt == codec.payload_type || !payload_types.contains(&apt) => {
                return Err(FieldError::new(path, format!("names payload type {apt}, which no other codec has")));
            }
            Some(_) => {}
        }
    }
    if !codecs.iter().any(|codec| Format::from(codec).is_media()) {
        return Err(FieldError::new(root, "has no media codec"));
    }
    Ok(())
}

fn check_extensions(extensions: &[RtpHeaderExtensionParameters]) -> Checked {
    let root = "rtpParameters.headerExtensions";
    check_count(root, extensions.len(), 0, MAX_HEADER_EXTENSIONS)?;
    let mut ids = HashSet::new();
    for (at, extension) in extensions.iter().enumerate() {
        let path = format!("{root}[{at}]");
        check_text(&format!("{path}.uri"), &extension.uri, 1, MAX_URI_LEN, is_visible)?;
        check_extension_id(&format!("{path}.id"), extension.id)?;
        if !ids.insert(extension.id) {
            return Err(FieldError::new(format!("{path}.id"), "stands more than once"));
        }
        if extension.encrypt {
            return Err(FieldError::new(format!("{path}.encrypt"), "encrypted header extensions are not supported"));
        }
        check_parameters(&format!("{path}.parameters"), &extension.parameters)?;
    }
    Ok(())
}

fn check_encodings(parameters: &RtpParameters) -> Checked {
    let root = "rtpParameters.encodings";
    let encodings = &parameters.encodings;
    check_count(root, encodings.len(), 1, MAX_ENCODINGS)?;
    let (mut ssrcs, mut rids) = (HashSet::new(), HashSet::new());
    for (at, encoding) in encodings.iter().enumerate() {
        let path = format!("{root}[{at}]");
        check_encoding(&path, encoding, &parameters.codecs)?;
        for (field, ssrc) in [("ssrc", encoding.ssrc), ("rtx.ssrc", encoding.rtx.map(|rtx| rtx.ssrc))] {
            match ssrc {
                Some(0) => return Err(FieldError::new(format!("{path}.{field}"), "must not be 0")),
                Some(ssrc) if !ssrcs.insert(ssrc) => {
                    return Err(FieldError::new(format!("{path}.{field}"), "stands more than once"));
                }
                _ => {}
            }
        }
        if let Some(rid) = &encoding.rid
            && !rids.insert(rid)
        {
            return Err(FieldError::new(format!("{path}.rid"), "stands more than once"));
        }
        check_identity(&path, encoding, parameters)?;
    }
    Ok(())
}

fn check_encoding(path: &str, encoding: &RtpEncodingParameters, codecs: &[RtpCodecParameters]) -> Checked {
    if let Some(rid) = &encoding.rid
        && Rid::new(rid).is_none()
    {
        return Err(FieldError::new(
            format!("{path}.rid"),
            format!("must be 1 to {MAX_NAME_LEN} letters, digits, hyphens or underscores"),
        ));
    }
    if let Some(payload_type) = encoding.codec_payload_type {
        let codec = codecs.iter().find(|codec| codec.payload_type == payload_type);
        if !codec.is_some_and(|codec| Format::from(codec).is_media()) {
            return Err(FieldError::new(
                format!("{path}.codecPayloadType"),
                "names no media codec of rtpParameters.codecs",
            ));
        }
    }
    if let Some(mode) = &encoding.scalability_mode {
        check_text(&format!("{path}.scalabilityMode"), mode, 0, MAX_SCALABILITY_MODE_LEN, is_visible)?;
    }
    if encoding.scale_resolution_down_by.is_some_and(|factor| factor < 1.0) {
        return Err(FieldError::new(format!("{path}.scaleResolutionDownBy"), "must be at least 1"));
    }
    if encoding.max_framerate.is_some_and(|rate| rate < 0.0) {
        return Err(FieldError::new(format!("{path}.maxFramerate"), "must not be negative"));
    }
    Ok(())
}

/// Its packets must be recognisable: by SSRC, by RID or, when it is the only encoding, by MID.
fn check_identity(path: &str, encoding: &RtpEncodingParameters, parameters: &RtpParameters) -> Checked {
    if encoding.ssrc.is_some() {
        return Ok(());
    }
    let has = |kind: ExtensionKind| parameters.header_extensions.iter().any(|extension| extension.uri == kind.uri());
    if encoding.rid.is_some() {
        if !has(ExtensionKind::Rid) {
            return Err(FieldError::new(
                "rtpParameters.headerExtensions",
                format!("must have {}, since {path} is told apart by its rid", ExtensionKind::Rid.uri()),
            ));
        }
        return Ok(());
    }
    if parameters.encodings.len() > 1 {
        return Err(FieldError::new(path, "must have ssrc or rid, as there are several encodings"));
    }
    if parameters.mid.is_none() || !has(ExtensionKind::Mid) {
        return Err(FieldError::new(path, "must have ssrc or rid, or rtpParameters.mid with its header extension"));
    }
    Ok(())
}

/// A stream id, then a track id (RFC 8830 §2). mediasoup-client writes it into the viewer's session description, which
/// a browser refuses as a whole when it is of another form.
fn check_msid(path: &str, msid: &str) -> Checked {
    check_text(path, msid, 0, MAX_MSID_LEN, |byte| is_visible(byte) || byte == b' ')?;
    let is_id = |id: &str| !id.is_empty() && id.bytes().all(is_token_char);
    let ids: Vec<&str> = msid.split(' ').collect();
    if msid.is_empty() || (ids.len() <= 2 && ids.iter().all(|id| is_id(id))) {
        return Ok(());
    }
    Err(FieldError::new(
        path,
        "must be a stream id and a track id with one space between, of characters that SDP allows",
    ))
}

fn check_codec(path: &str, mime_type: &str, clock_rate: u32, channels: Option<u8>) -> Checked {
    check_text(&format!("{path}.mimeType"), mime_type, 1, MAX_MIME_TYPE_LEN, is_mime_char)?;
    if MediaKind::of_mime_type(mime_type).is_none() {
        return Err(FieldError::new(format!("{path}.mimeType"), "must begin with audio/ or video/"));
    }
    if clock_rate == 0 {
        return Err(FieldError::new(format!("{path}.clockRate"), "must not be 0"));
    }
    if channels == Some(0) {
        return Err(FieldError::new(format!("{path}.channels"), "must not be 0"));
    }
    Ok(())
}

fn check_payload_type(path: &str, payload_type: u8) -> Checked {
    if payload_type > 127 {
        return Err(FieldError::new(path, format!("must be from 0 to 127, not {payload_type}")));
    }
    Ok(())
}

fn check_extension_id(path: &str, id: u8) -> Checked {
    if id == 0 {
        return Err(FieldError::new(path, "must be from 1 to 255"));
    }
    Ok(())
}

fn check_parameters(path: &str, CodecParameters(parameters): &CodecParameters) -> Checked {
    check_count(path, parameters.len(), 0, MAX_CODEC_PARAMETERS)?;
    for (name, value) in parameters {
        // RED's has none (RFC 2198 §5).
        check_text(path, name, 0, MAX_PARAMETER_NAME_LEN, |byte| is_visible(byte) && !matches!(byte, b';' | b'='))?;
        if let ParameterValue::Text(text) = value {
            let allowed = |byte| (is_visible(byte) || byte == b' ') && byte != b';';
            check_text(&format!("{path}.{name}"), text, 0, MAX_PARAMETER_LEN, allowed)?;
        }
    }
    Ok(())
}

fn check_feedback(path: &str, feedback: &[RtcpFeedback]) -> Checked {
    check_count(path, feedback.len(), 0, MAX_RTCP_FEEDBACK)?;
    for (at, RtcpFeedback { feedback_type, parameter }) in feedback.iter().enumerate() {
        check_text(&format!("{path}[{at}].type"), feedback_type, 1, MAX_FEEDBACK_LEN, is_visible)?;
        let allowed = |byte| is_visible(byte) || byte == b' ';
        check_text(&format!("{path}[{at}].parameter"), parameter, 0, MAX_FEEDBACK_LEN, allowed)?;
    }
    Ok(())
}

fn check_count(path: &str, count: usize, least: usize, most: usize) -> Checked {
    if count < least {
        return Err(FieldError::new(path, "must not be empty"));
    }
    if count > most {
        return Err(FieldError::new(path, format!("has {count} entries; at most {most} are allowed")));
    }
    Ok(())
}

fn check_text(path: &str, text: &str, least: usize, most: usize, allowed: impl Fn(u8) -> bool) -> Checked {
    if text.len() < least {
        return Err(FieldError::new(path, "must not be empty"));
    }
    if text.len() > most {
        return Err(FieldError::new(path, format!("has {} bytes; at most {most} are allowed", text.len())));
    }
    if !text.bytes().all(allowed) {
        return Err(FieldError::new(path, format!("has a character that is not allowed there: {text:?}")));
    }
    Ok(())
}

/// ASCII that is neither a space nor a control character.
const fn is_visible(byte: u8) -> bool {
    byte.is_ascii_graphic()
}

/// `token-char` of RFC 8866 §9.
const fn is_token_char(byte: u8) -> bool {
    is_visible(byte)
        && !matches!(
            byte,
            b'"' | b'(' | b')' | b',' | b'/' | b':' | b';' | b'<' | b'=' | b'>' | b'?' | b'@' | b'[' | b'\\' | b']'
        )
}

/// What RFC 6838 §4.2 allows in a type or subtype, and the slash between them.
const fn is_mime_char(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'/' | b'!' | b'#' | b'$' | b'&' | b'-' | b'^' | b'_' | b'.' | b'+')
}
