//! Reading JSON the way JavaScript clients write it: `null` for nothing, whole numbers that travel as floats.

use serde::{Deserialize, Deserializer};

/// The largest whole number that a JavaScript number holds exactly (2^53 - 1).
const MAX_EXACT: f64 = 9_007_199_254_740_991.0;

/// `null` counts as the field's default, as a missing field does.
pub(super) fn null_is_default<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: Default + Deserialize<'de>,
{
    Ok(Option::<T>::deserialize(deserializer)?.unwrap_or_default())
}

/// A bit rate: any number that is not negative; a fraction of a bit is cut off.
pub(super) fn optional_bits<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u64>, D::Error> {
    let Some(number) = Option::<f64>::deserialize(deserializer)? else {
        return Ok(None);
    };
    if !(0.0..=MAX_EXACT).contains(&number) {
        return Err(serde::de::Error::custom("expected a number of bits per second that is not negative"));
    }
    Ok(Some(number as u64))
}
