//! What a consumer is to be sent: what its viewer can see, what it asked for, and what its link carries.

use crate::producer::{Layer, Producer};

/// A layer that is this much smaller than its tile, in percent, fills it still: nobody sees the difference.
const TOLERANCE_PERCENT: u32 = 5;

/// Size of the largest layer of a producer that does not tell: what cameras have.
const USUAL_SIZE: (u32, u32) = (1280, 720);

/// Where a viewer shows the picture.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) enum View {
    /// The viewer never said; it gets all.
    #[default]
    Unknown,
    /// Nowhere.
    Hidden,
    /// In a tile of this size, in pixels.
    Shown { width: u32, height: u32, pinned: bool },
}

/// What the transport's link carries of one consumer.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) enum Share {
    /// Whatever is wanted.
    #[default]
    Unlimited,
    /// Layers up to this one.
    UpTo(Layer),
    /// Nothing.
    Nothing,
}

/// Why a consumer is sent the layer it is sent, or nothing.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum LayersReason {
    /// The link carries no more.
    Bandwidth,
    /// The viewer shows it so small, or not at all.
    Viewport,
    /// The viewer asked for no more.
    Preferred,
    /// The producer sends no more.
    Producer,
}

/// All that decides about the target of one consumer.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Wish {
    pub(super) view: View,
    pub(super) preferred: Option<Layer>,
    pub(super) share: Share,
}

impl Wish {
    /// The best layer that is of use to the viewer; `None` when none is.
    pub(super) fn desired(&self, producer: &Producer) -> Option<Layer> {
        let highest = producer.spatial_layers().saturating_sub(1);
        let spatial = match (self.view, self.preferred) {
            (View::Hidden, _) => return None,
            (_, Some(preferred)) => preferred.spatial.min(highest),
            (View::Unknown, None) => highest,
            (View::Shown { width, height, .. }, None) => (0..highest)
                .find(|&spatial| fills(size_of(producer, spatial, highest), (width, height)))
                .unwrap_or(highest),
        };
        let temporal = self.preferred.map_or(u8::MAX, |preferred| preferred.temporal);
        Some(Layer { spatial, temporal })
    }

    /// The best layer to be sent.
    pub(super) fn target(&self, producer: &Producer) -> Option<Layer> {
        let desired = self.desired(producer)?;
        match self.share {
            Share::Unlimited => Some(desired),
            Share::UpTo(limit) if limit.spatial < desired.spatial => Some(limit),
            Share::UpTo(limit) if limit.spatial == desired.spatial => {
                Some(Layer { temporal: desired.temporal.min(limit.temporal), ..desired })
            }
            Share::UpTo(_) => Some(desired),
            Share::Nothing => None,
        }
    }

    /// Why it is `target` and no better one.
    pub(super) fn reason(&self, producer: &Producer, target: Option<Layer>) -> LayersReason {
        let desired = self.desired(producer);
        if producer.paused || producer.live == 0 {
            LayersReason::Producer
        } else if desired.is_none() {
            LayersReason::Viewport
        } else if target < desired {
            LayersReason::Bandwidth
        } else if self.preferred.is_some() {
            LayersReason::Preferred
        } else if matches!(self.view, View::Shown { .. }) {
            LayersReason::Viewport
        } else {
            LayersReason::Producer
        }
    }
}

/// Width and height of a layer, as told or by what its siblings tell: each is half of the next.
fn size_of(producer: &Producer, spatial: u8, highest: u8) -> (u32, u32) {
    let told = |spatial| producer.size(spatial).map(|(width, height)| (u32::from(width), u32::from(height)));
    if let Some(size) = told(spatial) {
        return size;
    }
    let above = (spatial + 1..=highest).find_map(|other| Some((told(other)?, other)));
    let below = (0..spatial).rev().find_map(|other| Some((told(other)?, other)));
    match (above, below) {
        (Some(((width, height), other)), _) => (width >> (other - spatial), height >> (other - spatial)),
        (None, Some(((width, height), other))) => (width << (spatial - other), height << (spatial - other)),
        (None, None) => (USUAL_SIZE.0 >> (highest - spatial), USUAL_SIZE.1 >> (highest - spatial)),
    }
}

fn fills(size: (u32, u32), tile: (u32, u32)) -> bool {
    let reaches = |have: u32, want: u32| u64::from(have) * 100 >= u64::from(want) * u64::from(100 - TOLERANCE_PERCENT);
    // A portrait picture in a landscape tile, or the other way round, is cut or has bars: its longer side decides.
    if (size.0 > size.1) == (tile.0 > tile.1) {
        reaches(size.0, tile.0) && reaches(size.1, tile.1)
    } else {
        reaches(size.0.max(size.1), tile.0.max(tile.1))
    }
}
