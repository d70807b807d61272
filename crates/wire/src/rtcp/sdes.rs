//! Names and ends of sources: SDES and BYE (RFC 3550 §6.5, §6.6).

use super::writer::PacketWriter;
use super::{GOODBYE, SOURCE_DESCRIPTION, split_ssrc, ssrcs_of};
use crate::Ssrc;

/// Most sources of one BYE: a five-bit count.
pub const MAX_BYE_SOURCES: usize = 31;

const END_ITEM: u8 = 0;
const CNAME_ITEM: u8 = 1;

/// Longest text of an item, in bytes.
const MAX_ITEM_LEN: usize = 255;

/// Names of sources.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Sdes<'a> {
    /// `count` chunks that were walked once.
    body: &'a [u8],
    count: usize,
}

impl<'a> Sdes<'a> {
    pub(super) fn parse(body: &'a [u8], count: usize) -> Option<Self> {
        let mut rest = body;
        for _ in 0..count {
            (_, rest) = split_chunk(rest)?;
        }
        Some(Self { body, count })
    }

    /// Each source with its canonical name. A name that is not UTF-8 counts as none.
    pub fn chunks(&self) -> impl Iterator<Item = (Ssrc, Option<&'a str>)> + use<'a> {
        let mut rest = self.body;
        (0..self.count).map_while(move |_| {
            let chunk;
            (chunk, rest) = split_chunk(rest)?;
            Some((chunk.ssrc, chunk.cname))
        })
    }
}

struct Chunk<'a> {
    ssrc: Ssrc,
    cname: Option<&'a str>,
}

/// Takes one chunk off, with the zeros that fill its last word.
fn split_chunk(bytes: &[u8]) -> Option<(Chunk<'_>, &[u8])> {
    let (ssrc, mut rest) = split_ssrc(bytes)?;
    let mut cname = None;
    loop {
        let (&item, after) = rest.split_first()?;
        if item == END_ITEM {
            // Between one and four zeros end a chunk, so that the next starts on a word.
            let used = bytes.len() - after.len();
            return Some((Chunk { ssrc, cname }, bytes.get(used.next_multiple_of(4)..)?));
        }
        let (&len, after) = after.split_first()?;
        let (text, after) = after.split_at_checked(usize::from(len))?;
        if item == CNAME_ITEM {
            cname = std::str::from_utf8(text).ok();
        }
        rest = after;
    }
}

/// Sources that have ended. The reason is not read.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Bye<'a> {
    sources: &'a [u8],
}

impl<'a> Bye<'a> {
    pub(super) fn parse(body: &'a [u8], count: usize) -> Option<Self> {
        Some(Self { sources: body.get(..4 * count)? })
    }

    /// The sources.
    pub fn ssrcs(&self) -> impl ExactSizeIterator<Item = Ssrc> + use<'a> {
        ssrcs_of(self.sources)
    }
}

/// Appends a source description of one source. A name longer than 255 bytes is cut at a character.
pub fn write_sdes_cname(out: &mut Vec<u8>, ssrc: Ssrc, cname: &str) {
    let cname = cname.get(..cname.floor_char_boundary(MAX_ITEM_LEN)).unwrap_or_default();
    let mut packet = PacketWriter::new(out, SOURCE_DESCRIPTION, 1);
    packet.ssrc(ssrc).bytes(&[CNAME_ITEM, cname.len() as u8]).bytes(cname.as_bytes()).bytes(&[END_ITEM]);
    packet.finish();
}

/// Appends the end of sources. Those beyond [`MAX_BYE_SOURCES`] are left out.
pub fn write_bye(out: &mut Vec<u8>, ssrcs: &[Ssrc]) {
    let count = ssrcs.len().min(MAX_BYE_SOURCES);
    let mut packet = PacketWriter::new(out, GOODBYE, count as u8);
    for &ssrc in ssrcs.iter().take(count) {
        packet.ssrc(ssrc);
    }
    packet.finish();
}

#[cfg(test)]
mod tests {
    use super::super::{RtcpError, RtcpPacket, packets};
    use super::*;

    fn chunks(bytes: &[u8]) -> Option<Vec<(Ssrc, Option<&str>)>> {
        match packets(bytes).next() {
            Some(Ok(RtcpPacket::Sdes(sdes))) => Some(sdes.chunks().collect()),
            Some(Err(RtcpError::Malformed { packet_type: 202 })) => None,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn chunks_end_on_whole_words_and_other_items_are_skipped() {
        let bytes = [
            0x83, 202, 0, 9, // three chunks
            0, 0, 0, 1, 2, 1, b'n', 1, 1, b'a', 0, 0, // a name, then the canonical name
            0, 0, 0, 2, 0, 0, 0, 0, // no items: four zeros
            0, 0, 0, 3, 1, 2, 0xff, 0xfe, 8, 1, b'x', 0, // not UTF-8
            0, 0, 0, 0,
        ];
        assert_eq!(chunks(&bytes), Some(vec![(Ssrc::new(1), Some("a")), (Ssrc::new(2), None), (Ssrc::new(3), None)]));
    }

    #[test]
    fn a_chunk_without_end_is_refused() {
        for bytes in [
            &[0x81, 202, 0, 2, 0, 0, 0, 1, 1, 2, b'a', b'b'][..],
            &[0x81, 202, 0, 2, 0, 0, 0, 1, 1, 9, b'a', 0],
            &[0x82, 202, 0, 2, 0, 0, 0, 1, 1, 1, b'a', 0],
            &[0x81, 202, 0, 1, 0, 0, 0, 1],
            &[0x81, 202, 0, 0],
        ] {
            assert_eq!(chunks(bytes), None, "{bytes:?}");
        }
    }

    #[test]
    fn names_of_every_length_fill_their_last_word() {
        for len in 0..=300 {
            let (name, mut out) = ("x".repeat(len), Vec::new());
            write_sdes_cname(&mut out, Ssrc::new(5), &name);
            assert_eq!(chunks(&out), Some(vec![(Ssrc::new(5), Some(&name[..len.min(255)]))]), "{len}");
        }
    }

    #[test]
    fn a_long_name_is_cut_between_characters() {
        let mut out = Vec::new();
        write_sdes_cname(&mut out, Ssrc::new(5), &"ü".repeat(200));
        assert_eq!(chunks(&out), Some(vec![(Ssrc::new(5), Some("ü".repeat(127).as_str()))]));
    }

    #[test]
    fn an_end_names_its_sources_and_may_give_a_reason() {
        let bytes = [0x82, 203, 0, 3, 0, 0, 0, 1, 0, 0, 0, 2, 3, b'b', b'y', b'e'];
        let Some(Ok(RtcpPacket::Bye(bye))) = packets(&bytes).next() else { panic!("not an end") };
        assert_eq!(bye.ssrcs().collect::<Vec<_>>(), [Ssrc::new(1), Ssrc::new(2)]);
        let mut out = Vec::new();
        write_bye(&mut out, &[Ssrc::new(1), Ssrc::new(2)]);
        assert_eq!(out, [0x82, 203, 0, 2, 0, 0, 0, 1, 0, 0, 0, 2]);
        assert_eq!(
            packets(&[0x82, 203, 0, 1, 0, 0, 0, 1]).next(),
            Some(Err(RtcpError::Malformed { packet_type: 203 }))
        );
    }

    #[test]
    fn an_end_has_at_most_31_sources() {
        let mut out = Vec::new();
        write_bye(&mut out, &[Ssrc::new(1); 40]);
        let Some(Ok(RtcpPacket::Bye(bye))) = packets(&out).next() else { panic!("not an end") };
        assert_eq!(bye.ssrcs().len(), MAX_BYE_SOURCES);
    }
}
