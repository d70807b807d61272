//! Scalability modes (W3C WebRTC-SVC): how many spatial and temporal layers a stream has.

use std::fmt;

/// A scalability mode such as `L1T3`, `L3T3_KEY` or `S2T1`.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct ScalabilityMode {
    /// Spatial layers, at least one.
    pub spatial_layers: u8,
    /// Temporal layers, at least one.
    pub temporal_layers: u8,
    /// How the spatial layers of one picture depend on each other.
    pub dependency: SpatialDependency,
}

/// How the spatial layers of one picture depend on each other.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum SpatialDependency {
    /// Each on the one below (`L3T3`).
    Full,
    /// Each on the one below in key pictures only (`L3T3_KEY`, `L3T3_KEY_SHIFT`).
    KeyOnly,
    /// None: simulcast within one stream (`S3T3`).
    None,
}

impl ScalabilityMode {
    /// One layer of each kind: what a stream has that says nothing.
    pub const SINGLE: Self = Self { spatial_layers: 1, temporal_layers: 1, dependency: SpatialDependency::Full };

    /// The mode named by `text`; `None` when it is not of that form. What follows the numbers, as in `L2T2h`, is
    /// passed over, except for the `_KEY` mark.
    pub fn parse(text: &str) -> Option<Self> {
        let (shared, rest) = match text.strip_prefix('L') {
            Some(rest) => (true, rest),
            None => (false, text.strip_prefix('S')?),
        };
        let (spatial_layers, rest) = layer_count(rest)?;
        let (temporal_layers, rest) = layer_count(rest.strip_prefix('T')?)?;
        let dependency = match (shared, rest.starts_with("_KEY")) {
            (false, _) => SpatialDependency::None,
            (true, false) => SpatialDependency::Full,
            (true, true) => SpatialDependency::KeyOnly,
        };
        Some(Self { spatial_layers, temporal_layers, dependency })
    }

    /// Whether there is more than one layer.
    pub const fn is_layered(self) -> bool {
        self.spatial_layers > 1 || self.temporal_layers > 1
    }
}

impl fmt::Display for ScalabilityMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (letter, mark) = match self.dependency {
            SpatialDependency::Full => ('L', ""),
            SpatialDependency::KeyOnly => ('L', "_KEY"),
            SpatialDependency::None => ('S', ""),
        };
        write!(f, "{letter}{}T{}{mark}", self.spatial_layers, self.temporal_layers)
    }
}

/// A number from 1 to 99 and what follows it.
fn layer_count(text: &str) -> Option<(u8, &str)> {
    let digits = text.bytes().take(2).take_while(u8::is_ascii_digit).count();
    let (number, rest) = text.split_at_checked(digits)?;
    let count = number.parse().ok().filter(|&count: &u8| count > 0 && !number.starts_with('0'))?;
    Some((count, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modes_are_read_and_written() {
        let table = [
            ("L1T1", 1, 1, SpatialDependency::Full),
            ("L1T3", 1, 3, SpatialDependency::Full),
            ("L3T3_KEY", 3, 3, SpatialDependency::KeyOnly),
            ("S3T2", 3, 2, SpatialDependency::None),
            ("L16T9", 16, 9, SpatialDependency::Full),
        ];
        for (text, spatial_layers, temporal_layers, dependency) in table {
            let mode = ScalabilityMode::parse(text).expect(text);
            assert_eq!(mode, ScalabilityMode { spatial_layers, temporal_layers, dependency });
            assert_eq!(mode.to_string(), text);
        }
    }

    #[test]
    fn marks_after_the_numbers_do_not_hide_them() {
        assert_eq!(
            ScalabilityMode::parse("L2T2_KEY_SHIFT").map(|mode| mode.dependency),
            Some(SpatialDependency::KeyOnly)
        );
        assert_eq!(ScalabilityMode::parse("L2T3h").map(|mode| mode.temporal_layers), Some(3));
    }

    #[test]
    fn what_is_no_mode_is_none() {
        for text in ["", "L", "L1", "L1T", "L0T1", "L1T0", "T3L1", "l1t3", "L100T1", "L01T1", "L-1T1", "Lé", "X1T1"] {
            assert_eq!(ScalabilityMode::parse(text), None, "{text}");
        }
    }
}
