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
