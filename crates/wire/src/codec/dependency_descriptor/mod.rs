//! The dependency descriptor header extension (AV1 RTP specification, appendix A): which layer a packet's frame belongs
//! to and what it depends on, for any codec and also where the payload is encrypted from end to end.
//!
//! Most packets name a template of a [`Structure`] that came with a key frame. The caller keeps it:
//! [`has_structure`], then [`Structure::parse`], then [`Descriptor::parse`] with the newest one.

use super::bits::Bits;

mod list;
mod structure;
#[cfg(test)]
mod tests;

use list::List;
pub use structure::{DecodeTarget, Structure};

/// Templates in a structure: their ids have six bits.
pub const MAX_TEMPLATES: usize = 64;

/// Decode targets in a structure: their count has five bits.
pub const MAX_DECODE_TARGETS: usize = 32;

/// Chains in a structure: no more than decode targets.
pub const MAX_CHAINS: usize = MAX_DECODE_TARGETS;

/// Frames that one frame may depend on directly. AV1 keeps eight reference frames, VP9 too, VP8 three.
pub const MAX_FRAME_DIFFS: usize = 8;

/// Spatial layers: AV1 §6.10.4 has scalability modes of up to three, libwebrtc allows four.
pub const MAX_SPATIAL_LAYERS: usize = 4;

/// Temporal layers: `temporal_id` of AV1 §5.3.3 has three bits.
pub const MAX_TEMPORAL_LAYERS: usize = 8;

/// Bytes that every descriptor has.
const MANDATORY_LEN: usize = 3;

/// Set in the fourth byte when a structure is attached.
const STRUCTURE_BIT: u8 = 0x80;

/// Why bytes are not a descriptor.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum DescriptorError {
    /// It ends too early.
    #[error("a dependency descriptor is cut off")]
    Short,
    /// It has more layers or dependencies than any encoder.
    #[error("a dependency descriptor has too many layers or dependencies")]
    TooLarge,
    /// It refers to a structure, and none came before.
    #[error("a dependency descriptor came before its structure")]
    NoStructure,
    /// It names a template that the structure does not have: the structure is not the newest.
    #[error("a dependency descriptor names a template that its structure does not have")]
    UnknownTemplate,
}

/// What a frame is to a decode target (AV1 RTP specification §A.3).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum DecodeTargetIndication {
    /// Not part of it.
    NotPresent,
    /// Part of it, and nothing in it depends on the frame.
    Discardable,
    /// All later frames of the target can be decoded from here on.
    Switch,
    /// Part of it.
    Required,
}

/// The indications of a frame for all decode targets, two bits each.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
struct Indications(u64);

impl Indications {
    fn read(bits: &mut Bits<'_>, targets: u8) -> Option<Self> {
        let mut packed = 0;
        for target in 0..targets {
            packed |= u64::from(bits.number(2)?) << (2 * target);
        }
        Some(Self(packed))
    }

    /// [`DecodeTargetIndication::NotPresent`] for a target that does not exist.
    fn of(self, target: u8) -> DecodeTargetIndication {
        match self.0.checked_shr(2 * u32::from(target)).unwrap_or_default() & 0b11 {
            0 => DecodeTargetIndication::NotPresent,
            1 => DecodeTargetIndication::Discardable,
            2 => DecodeTargetIndication::Switch,
            _ => DecodeTargetIndication::Required,
        }
    }
}

/// Whether a structure is attached to a descriptor.
pub fn has_structure(bytes: &[u8]) -> bool {
    bytes.get(MANDATORY_LEN).is_some_and(|flags| flags & STRUCTURE_BIT != 0)
}

/// The first three bytes, which need no structure to be understood.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct MandatoryFields {
    /// The packet is the first of its frame.
    pub start_of_frame: bool,
    /// The packet is the last of its frame.
    pub end_of_frame: bool,
    /// Names a template, below 64.
    pub template_id: u8,
    /// Counts the frames of all layers, in the order of decoding; wraps.
    pub frame_number: u16,
}

impl MandatoryFields {
    /// Reads the first three bytes of a descriptor.
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        Self::read(&mut Bits::new(bytes))
    }

    fn read(bits: &mut Bits<'_>) -> Option<Self> {
        Some(Self {
            start_of_frame: bits.flag()?,
            end_of_frame: bits.flag()?,
            template_id: bits.byte(6)?,
            frame_number: bits.number(16)? as u16,
        })
    }
}

/// A parsed descriptor.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Descriptor {
    /// What needs no structure to be understood.
    pub mandatory: MandatoryFields,
    /// A structure is attached.
    pub has_structure: bool,
    /// Spatial layer of the frame.
    pub spatial: u8,
    /// Temporal layer of the frame.
    pub temporal: u8,
    /// Which decode targets are being sent, where it is told: bit 0 is the first. Told whenever it changes, and with a
    /// structure.
    pub active_decode_targets: Option<u32>,
    /// Width and height of the frame's spatial layer, in pixels, where the structure gives them.
    pub resolution: Option<(u16, u16)>,
    indications: Indications,
    frame_diffs: List<u16, MAX_FRAME_DIFFS>,
    chain_diffs: List<u8, MAX_CHAINS>,
}

impl Descriptor {
    /// Reads a descriptor. `structure` is the newest that came before; one that is attached takes its place.
    ///
    /// # Errors
    /// When it is cut off, beyond a limit, or does not fit the structure.
    pub fn parse(bytes: &[u8], structure: Option<&Structure>) -> Result<Self, DescriptorError> {
        let mut bits = Bits::new(bytes);
        let mandatory = MandatoryFields::read(&mut bits).ok_or(DescriptorError::Short)?;
        let flags = if bytes.len() > MANDATORY_LEN {
            Flags::read(&mut bits).ok_or(DescriptorError::Short)?
        } else {
            Flags::default()
        };
        if flags.has_structure {
            let attached = Structure::read(&mut bits)?;
            return Self::read(&mut bits, mandatory, flags, &attached);
        }
        Self::read(&mut bits, mandatory, flags, structure.ok_or(DescriptorError::NoStructure)?)
    }

    fn read(
        bits: &mut Bits<'_>,
        mandatory: MandatoryFields,
        flags: Flags,
        structure: &Structure,
    ) -> Result<Self, DescriptorError> {
        let targets = structure.decode_targets().len() as u8;
        let active_decode_targets = match (flags.has_active_targets, flags.has_structure) {
            (true, _) => Some(bits.number(u32::from(targets)).ok_or(DescriptorError::Short)?),
            (false, true) => Some(structure.all_decode_targets()),
            (false, false) => None,
        };
        let template = structure.template(mandatory.template_id).ok_or(DescriptorError::UnknownTemplate)?;
        let indications = if flags.has_indications {
            Indications::read(bits, targets).ok_or(DescriptorError::Short)?
        } else {
            template.indications
        };
        let mut frame_diffs = List::new(0);
        if flags.has_frame_diffs {
            read_frame_diffs(bits, &mut frame_diffs)?;
        } else {
            for diff in template.frame_diffs.as_slice() {
                frame_diffs.push(u16::from(*diff)).ok_or(DescriptorError::TooLarge)?;
            }
        }
        let mut chain_diffs = template.chain_diffs;
        if flags.has_chain_diffs {
            chain_diffs = List::new(0);
            for _ in 0..structure.chains() {
                let diff = bits.byte(8).ok_or(DescriptorError::Short)?;
                chain_diffs.push(diff).ok_or(DescriptorError::TooLarge)?;
            }
        }
        Ok(Self {
            mandatory,
            has_structure: flags.has_structure,
            spatial: template.spatial,
            temporal: template.temporal,
            active_decode_targets,
            resolution: structure.resolution(template.spatial),
            indications,
            frame_diffs,
            chain_diffs,
        })
    }

    /// What the frame is to a decode target, by its place in [`Structure::decode_targets`].
    pub fn indication(&self, target: u8) -> DecodeTargetIndication {
        self.indications.of(target)
    }

    /// How many frames back the frames are that this one depends on directly.
    pub fn frame_diffs(&self) -> &[u16] {
        self.frame_diffs.as_slice()
    }

    /// For each chain, how many frames back its previous frame is; 0 where this frame begins it.
    pub fn chain_diffs(&self) -> &[u8] {
        self.chain_diffs.as_slice()
    }

    /// Whether this packet begins a frame that needs no earlier one and brings a structure: a decoder that knows
    /// nothing can start here.
    pub fn begins_key_frame(&self) -> bool {
        self.mandatory.start_of_frame && self.has_structure && self.frame_diffs().is_empty()
    }
}

/// What follows the mandatory fields.
#[derive(Clone, Copy, Default)]
struct Flags {
    has_structure: bool,
    has_active_targets: bool,
    has_indications: bool,
    has_frame_diffs: bool,
    has_chain_diffs: bool,
}

impl Flags {
    fn read(bits: &mut Bits<'_>) -> Option<Self> {
        Some(Self {
            has_structure: bits.flag()?,
            has_active_targets: bits.flag()?,
            has_indications: bits.flag()?,
            has_frame_diffs: bits.flag()?,
            has_chain_diffs: bits.flag()?,
        })
    }
}

/// `frame_fdiffs()`: each difference is 4, 8 or 12 bits wide.
fn read_frame_diffs(bits: &mut Bits<'_>, diffs: &mut List<u16, MAX_FRAME_DIFFS>) -> Result<(), DescriptorError> {
    loop {
        let nibbles = bits.number(2).ok_or(DescriptorError::Short)?;
        if nibbles == 0 {
            return Ok(());
        }
        let diff = bits.number(4 * nibbles).ok_or(DescriptorError::Short)? + 1;
        diffs.push(diff as u16).ok_or(DescriptorError::TooLarge)?;
    }
}
