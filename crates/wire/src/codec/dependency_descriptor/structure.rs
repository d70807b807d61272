//! The template dependency structure: what the frames of a stream may look like.

use super::list::List;
use super::{
    DecodeTargetIndication, DescriptorError, Flags, Indications, MAX_CHAINS, MAX_DECODE_TARGETS, MAX_FRAME_DIFFS,
    MAX_SPATIAL_LAYERS, MAX_TEMPLATES, MAX_TEMPORAL_LAYERS, MandatoryFields,
};
use crate::codec::bits::Bits;

/// What a frame of one kind depends on.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Template {
    pub(super) spatial: u8,
    pub(super) temporal: u8,
    pub(super) indications: Indications,
    pub(super) frame_diffs: List<u8, MAX_FRAME_DIFFS>,
    pub(super) chain_diffs: List<u8, MAX_CHAINS>,
}

/// Layers and protection of one decode target.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct DecodeTarget {
    /// Highest spatial layer in it.
    pub spatial: u8,
    /// Highest temporal layer in it.
    pub temporal: u8,
    /// The chain whose frames it cannot do without, where there are chains.
    pub chain: Option<u8>,
}

/// The structure that descriptors refer to until the next one comes. About 4 kB: box it where it is kept.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Structure {
    /// The template id of the first template; the others follow, modulo 64.
    id_offset: u8,
    templates: List<Template, MAX_TEMPLATES>,
    decode_targets: List<DecodeTarget, MAX_DECODE_TARGETS>,
    chains: u8,
    max_spatial: u8,
    max_temporal: u8,
    /// Width and height by spatial layer.
    resolutions: List<(u16, u16), MAX_SPATIAL_LAYERS>,
}

impl Template {
    /// A frame of these layers, of which nothing else is known yet.
    const fn new(spatial: u8, temporal: u8) -> Self {
        let (frame_diffs, chain_diffs) = (List::new(0), List::new(0));
        Self { spatial, temporal, indications: Indications(0), frame_diffs, chain_diffs }
    }
}

impl Structure {
    /// Reads the structure that is attached to a descriptor; `None` when none is. As it is large, ask
    /// [`has_structure`](super::has_structure) before.
    ///
    /// # Errors
    /// When it is cut off or beyond a limit.
    pub fn parse(bytes: &[u8]) -> Result<Option<Self>, DescriptorError> {
        if !super::has_structure(bytes) {
            return Ok(None);
        }
        let mut bits = Bits::new(bytes);
        MandatoryFields::read(&mut bits).ok_or(DescriptorError::Short)?;
        Flags::read(&mut bits).ok_or(DescriptorError::Short)?;
        Self::read(&mut bits).map(Some)
    }

    /// `template_dependency_structure()`.
    pub(super) fn read(bits: &mut Bits<'_>) -> Result<Self, DescriptorError> {
        let id_offset = bits.byte(6).ok_or(DescriptorError::Short)?;
        let targets = bits.byte(5).ok_or(DescriptorError::Short)? + 1;
        let mut structure = Self {
            id_offset,
            templates: List::new(Template::new(0, 0)),
            decode_targets: List::new(DecodeTarget { spatial: 0, temporal: 0, chain: None }),
            chains: 0,
            max_spatial: 0,
            max_temporal: 0,
            resolutions: List::new((0, 0)),
        };
        structure.read_layers(bits)?;
        for template in structure.templates.as_mut_slice() {
            template.indications = Indications::read(bits, targets).ok_or(DescriptorError::Short)?;
        }
        structure.read_frame_diffs(bits)?;
        structure.find_target_layers(targets);
        structure.read_chains(bits).ok_or(DescriptorError::Short)?;
        structure.read_resolutions(bits).ok_or(DescriptorError::Short)?;
        Ok(structure)
    }

    /// `template_layers()`: how many templates there are, and of which layers.
    fn read_layers(&mut self, bits: &mut Bits<'_>) -> Result<(), DescriptorError> {
        let (mut spatial, mut temporal) = (0, 0);
        loop {
            if usize::from(spatial) >= MAX_SPATIAL_LAYERS || usize::from(temporal) >= MAX_TEMPORAL_LAYERS {
                return Err(DescriptorError::TooLarge);
            }
            self.templates.push(Template::new(spatial, temporal)).ok_or(DescriptorError::TooLarge)?;
            self.max_spatial = spatial;
            self.max_temporal = self.max_temporal.max(temporal);
            match bits.number(2).ok_or(DescriptorError::Short)? {
                0 => {}
                1 => temporal += 1,
                2 => (spatial, temporal) = (spatial + 1, 0),
                _ => return Ok(()),
            }
        }
    }

    /// `template_fdiffs()`.
    fn read_frame_diffs(&mut self, bits: &mut Bits<'_>) -> Result<(), DescriptorError> {
        for template in self.templates.as_mut_slice() {
            while bits.flag().ok_or(DescriptorError::Short)? {
                let diff = bits.byte(4).ok_or(DescriptorError::Short)? + 1;
                template.frame_diffs.push(diff).ok_or(DescriptorError::TooLarge)?;
            }
        }
        Ok(())
    }

    /// `decode_target_layers()`: a decode target has the highest layers of its frames.
    fn find_target_layers(&mut self, targets: u8) {
        for target in 0..targets {
            let frames = self.templates.as_slice().iter();
            let frames = frames.filter(|frame| frame.indications.of(target) != DecodeTargetIndication::NotPresent);
            let (spatial, temporal) = frames
                .fold((0, 0), |(spatial, temporal), frame| (frame.spatial.max(spatial), frame.temporal.max(temporal)));
            let pushed = self.decode_targets.push(DecodeTarget { spatial, temporal, chain: None });
            debug_assert!(pushed.is_some(), "five bits cannot count beyond the limit");
        }
    }

    /// `template_chains()`.
    fn read_chains(&mut self, bits: &mut Bits<'_>) -> Option<()> {
        let targets = self.decode_targets.as_mut_slice();
        let chains = bits.below(targets.len() as u32 + 1)?;
        self.chains = chains as u8;
        if chains == 0 {
            return Some(());
        }
        for target in targets {
            target.chain = Some(bits.below(chains)? as u8);
        }
        for template in self.templates.as_mut_slice() {
            for _ in 0..chains {
                template.chain_diffs.push(bits.byte(4)?)?;
            }
        }
        Some(())
    }

    /// `render_resolutions()`, if they are there.
    fn read_resolutions(&mut self, bits: &mut Bits<'_>) -> Option<()> {
        if !bits.flag()? {
            return Some(());
        }
        for _ in 0..=self.max_spatial {
            // One less than the size is sent; 65,536 is told as 65,535.
            let mut size = || bits.number(16).map(|less| (less as u16).saturating_add(1));
            self.resolutions.push((size()?, size()?))?;
        }
        Some(())
    }

    /// The template that a descriptor's id names.
    pub(super) fn template(&self, id: u8) -> Option<&Template> {
        let index = id.wrapping_sub(self.id_offset) % MAX_TEMPLATES as u8;
        self.templates.as_slice().get(usize::from(index))
    }

    /// How many chains there are.
    pub(super) fn chains(&self) -> u8 {
        self.chains
    }

    /// What a receiver can choose to decode.
    pub fn decode_targets(&self) -> &[DecodeTarget] {
        self.decode_targets.as_slice()
    }

    /// How many spatial layers there are.
    pub fn spatial_layers(&self) -> u8 {
        self.max_spatial + 1
    }

    /// How many temporal layers there are.
    pub fn temporal_layers(&self) -> u8 {
        self.max_temporal + 1
    }

    /// How many templates there are.
    pub fn template_count(&self) -> usize {
        self.templates.as_slice().len()
    }

    /// Width and height of a spatial layer, in pixels, where they are given.
    pub fn resolution(&self, spatial: u8) -> Option<(u16, u16)> {
        self.resolutions.as_slice().get(usize::from(spatial)).copied()
    }

    /// Every decode target: bit 0 is the first.
    pub fn all_decode_targets(&self) -> u32 {
        u32::MAX >> (MAX_DECODE_TARGETS - self.decode_targets.as_slice().len())
    }
}
