//! H.264 payloads (RFC 6184): which NAL units are in a packet, without reading into them.

use super::reader::Reader;

/// NAL unit types that matter here (H.264 table 7-1, RFC 6184 §5.2).
mod nal {
    pub(super) const IDR: u8 = 5;
    pub(super) const SPS: u8 = 7;
    pub(super) const STAP_A: u8 = 24;
    pub(super) const FU_A: u8 = 28;
}

/// NAL units looked at in one aggregation packet; more in one packet are not met.
const MAX_NAL_UNITS: usize = 32;

/// What a payload carries.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Contents {
    /// The beginning of an IDR slice.
    pub idr: bool,
    /// A sequence parameter set.
    pub sps: bool,
    /// The last fragment of a unit, or only whole units.
    pub ends_unit: bool,
    /// Highest nal_ref_idc among its units: 0 means that nothing refers to them.
    pub reference: u8,
}

impl Contents {
    /// Walks the NAL units of a payload: a single one, a STAP-A, or a fragment in FU-A. Other kinds are not allowed in
    /// packetization modes 0 and 1 and carry nothing known.
    pub fn of(payload: &[u8]) -> Self {
        let mut contents = Self { ends_unit: true, ..Self::default() };
        let Some(first) = payload.first().copied() else { return contents };
        contents.reference = first >> 5 & 0x03;
        match first & 0x1F {
            nal::STAP_A => {
                let mut reader = Reader::new(payload.get(1..).unwrap_or_default());
                for _ in 0..MAX_NAL_UNITS {
                    let Some(unit) = reader.word().and_then(|len| reader.take(usize::from(len))) else { break };
                    if let Some(header) = unit.first() {
                        contents.note(*header);
                    }
                }
            }
            nal::FU_A => {
                let Some(header) = payload.get(1).copied() else { return contents };
                contents.ends_unit = header & 0x40 != 0;
                // Only the first fragment begins the unit.
                if header & 0x80 != 0 {
                    contents.note(first & 0x60 | header & 0x1F);
                }
            }
            _ => contents.note(first),
        }
        contents
    }

    fn note(&mut self, header: u8) {
        self.reference = self.reference.max(header >> 5 & 0x03);
        self.idr |= header & 0x1F == nal::IDR;
        self.sps |= header & 0x1F == nal::SPS;
    }

    /// Whether a decoder can start at this packet: at the sequence parameter set, which encoders for real-time send
    /// before each IDR picture. The picture alone does not do, as nothing can be decoded without the set.
    pub fn begins_key_frame(&self) -> bool {
        self.sps
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn key_frames_are_found_single_aggregated_and_fragmented() {
        let cases: [(&[u8], bool); 8] = [
            (&[0x65, 1, 2], false),
            (&[0x67, 0x42], true),
            (&[0x41, 1], false),
            (&[0x78, 0, 2, 0x67, 0x42, 0, 1, 0x68], true),
            (&[0x78, 0, 2, 0x41, 0x42], false),
            (&[0x7C, 0x87, 1], true),
            (&[0x7C, 0x07, 1], false),
            (&[], false),
        ];
        for (payload, expected) in cases {
            assert_eq!(Contents::of(payload).begins_key_frame(), expected, "{payload:?}");
        }
    }

    #[test]
    fn what_a_packet_carries_is_told_unit_by_unit() {
        let contents = |payload: &[u8]| Contents::of(payload);
        let idr = Contents { idr: true, sps: false, ends_unit: true, reference: 3 };
        assert_eq!(contents(&[0x65]), idr);
        // STAP-A: a unit without bytes, SPS, PPS, and a slice that nothing refers to.
        let aggregate = [0x18, 0, 0, 0, 1, 0x67, 0, 1, 0x68, 0, 2, 0x01, 9];
        assert_eq!(contents(&aggregate), Contents { idr: false, sps: true, ends_unit: true, reference: 3 });
        // FU-A: the first, a middle and the last fragment of an IDR slice.
        assert_eq!(contents(&[0x7C, 0x85]), Contents { ends_unit: false, ..idr });
        assert_eq!(contents(&[0x7C, 0x05]), Contents { idr: false, ends_unit: false, ..idr });
        assert_eq!(contents(&[0x7C, 0x45]), Contents { idr: false, ..idr });
        // STAP-B and FU-B belong to packetization mode 2.
        assert!(!contents(&[0x79, 0, 0, 0, 1, 0x67]).begins_key_frame());
        assert!(!contents(&[0x7D, 0x85, 0, 0]).begins_key_frame());
        assert_eq!(contents(&[0x01]).reference, 0);
    }

    #[test]
    fn only_so_many_units_of_an_aggregate_are_looked_at() {
        let aggregate = |before: usize| {
            let mut payload = vec![0x18];
            payload.extend([0, 1, 0x01].repeat(before));
            payload.extend([0, 1, 0x67]);
            Contents::of(&payload)
        };
        assert!(aggregate(MAX_NAL_UNITS - 1).sps);
        assert!(!aggregate(MAX_NAL_UNITS).sps);
    }

    #[test]
    fn a_unit_length_beyond_the_packet_ends_the_walk() {
        assert!(!Contents::of(&[0x78, 0xFF, 0xFF, 0x67]).begins_key_frame());
    }
}
