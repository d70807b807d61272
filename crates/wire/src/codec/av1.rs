//! The AV1 aggregation header (AV1 RTP specification §4.4). Layers are told by the dependency descriptor.

/// A parsed aggregation header.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct AggregationHeader {
    /// Z: the first element continues one of the packet before.
    pub continues: bool,
    /// Y: the last element goes on in the next packet.
    pub is_continued: bool,
    /// W: how many elements there are; 0 means that each has a length.
    pub elements: u8,
    /// N: the first packet of a coded video sequence, so a decoder can start here.
    pub begins_sequence: bool,
}

impl AggregationHeader {
    /// Reads the first byte of a payload; `None` when there is none.
    pub fn parse(payload: &[u8]) -> Option<Self> {
        let byte = *payload.first()?;
        Some(Self {
            continues: byte & 0x80 != 0,
            is_continued: byte & 0x40 != 0,
            elements: byte >> 4 & 0x03,
            begins_sequence: byte & 0x08 != 0,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_packet_of_a_sequence_is_told_by_n() {
        assert!(AggregationHeader::parse(&[0x18, 0x0A]).expect("one byte").begins_sequence);
        assert!(!AggregationHeader::parse(&[0x90, 0x0A]).expect("one byte").begins_sequence);
        assert_eq!(AggregationHeader::parse(&[]), None);
    }

    #[test]
    fn every_bit_of_the_header_is_read() {
        let header = |byte| AggregationHeader::parse(&[byte]).expect("one byte");
        let none = AggregationHeader { continues: false, is_continued: false, elements: 0, begins_sequence: false };
        assert_eq!(header(0x07), none);
        assert_eq!(header(0x80), AggregationHeader { continues: true, ..none });
        assert_eq!(header(0x40), AggregationHeader { is_continued: true, ..none });
        assert_eq!(header(0x30), AggregationHeader { elements: 3, ..none });
        assert_eq!(header(0x08), AggregationHeader { begins_sequence: true, ..none });
    }
}
