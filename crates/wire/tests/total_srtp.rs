//! Properties of SRTP: whatever is lost, reordered or repeated, the receiver gives each packet its right index and
//! takes none twice; and nothing that it is handed can make it panic or accept a forgery.

mod damage;

use std::collections::{HashMap, HashSet};

use proptest::prelude::*;
use wire::rtp::{self, FIXED_HEADER_LEN, HeaderFields, RtpHeader};
use wire::srtp::{MasterKey, SrtpError, SrtpProfile, SrtpReceiver, SrtpSender};
use wire::{ExtSeqNo, PayloadType, RtpTimestamp, Ssrc};

use crate::damage::damaged;

/// Indices behind the newest that the receiver must tell apart.
const WINDOW: u64 = 1024;

fn profile() -> impl Strategy<Value = SrtpProfile> {
    prop_oneof![
        Just(SrtpProfile::AeadAes128Gcm),
        Just(SrtpProfile::AeadAes256Gcm),
        Just(SrtpProfile::AesCm128HmacSha1_80),
    ]
}

fn pair(profile: SrtpProfile) -> (SrtpSender, SrtpReceiver) {
    let master = MasterKey::new(&[3; 32][..profile.key_len()], &[4; 14][..profile.salt_len()]);
    let sender = SrtpSender::new(profile, &master).expect("lengths are the profile's");
    (sender, SrtpReceiver::new(profile, &master).expect("lengths are the profile's"))
}

fn seal(sender: &mut SrtpSender, ssrc: u32, index: u64) -> Vec<u8> {
    let mut out = Vec::new();
    let fields = HeaderFields {
        marker: false,
        payload_type: PayloadType::from_low_bits(96),
        seq: ExtSeqNo::new(index).truncate(),
        timestamp: RtpTimestamp::new(1),
        ssrc: Ssrc::new(ssrc),
    };
    rtp::write_header(&mut out, &fields, false, false);
    out.extend_from_slice(&index.to_be_bytes());
    sender.protect_rtp(&mut out, 0, FIXED_HEADER_LEN, ExtSeqNo::new(index)).expect("a whole packet");
    out
}

fn seal_rtcp(sender: &mut SrtpSender, body: &[u8]) -> Vec<u8> {
    let mut out = vec![0x80, 201, 0, 1, 0, 0, 0, 7];
    out.extend_from_slice(body);
    sender.protect_rtcp(&mut out, 0).expect("a whole packet");
    out
}

fn open(receiver: &mut SrtpReceiver, packet: &mut [u8]) -> Result<u64, SrtpError> {
    let header = RtpHeader::parse(packet).expect("a whole header");
    receiver.unprotect_rtp(packet, &header).map(|(_, index)| index.get())
}

/// What a receiver with endless memory would say of one stream.
#[derive(Default)]
struct Model {
    seen: HashSet<u64>,
    newest: Option<u64>,
}

impl Model {
    fn receive(&mut self, index: u64) -> Result<u64, SrtpError> {
        let nearest_of = |seq: u64, newest: u64| {
            let candidates = [0u64, 1, 2].map(|step| ((newest >> 16) + step).checked_sub(1).map(|roc| roc << 16 | seq));
            let candidates = candidates.into_iter().flatten();
            // Of two that are equally far, the older: what is new never leaps half the circle.
            candidates.min_by_key(|candidate| candidate.abs_diff(newest))
        };
        let guess = match self.newest {
            None => Some(index & 0xFFFF),
            Some(newest) => nearest_of(index & 0xFFFF, newest),
        };
        let guess = guess.expect("three candidates, of which one at least is not negative");
        if self.newest.is_some_and(|newest| guess + WINDOW <= newest) {
            return Err(SrtpError::TooOld);
        }
        if self.seen.contains(&guess) {
            return Err(SrtpError::Replayed);
        }
        if guess != index {
            return Err(SrtpError::Auth);
        }
        self.seen.insert(index);
        self.newest = self.newest.max(Some(index));
        Ok(index)
    }
}

/// Where a packet lies, relative to the newest index so far: mostly near, sometimes a leap, sometimes a replay.
fn steps() -> impl Strategy<Value = Vec<(u8, i64)>> {
    let step = prop_oneof![
        8 => -40i64..60,
        3 => -1100i64..200,
        3 => 10_000i64..32_768,
        1 => -40_000i64..70_000,
        1 => prop::sample::select(vec![0i64, -1, -1023, -1024, -1025, 32_767, 32_768, 32_769, -32_767, -32_768, 65_536]),
    ];
    prop::collection::vec((0u8..3, step), 1..120)
}

proptest! {
    // Each case is 12,000 packets.
    #![proptest_config(ProptestConfig::with_cases(20))]

    /// Ten wraps; the packets around each are up to `depth` places out of their order. None may be refused.
    #[test]
    fn no_packet_is_lost_to_reordering_across_wraps(
        profile in profile(), depth in 1u64..500, mut state in any::<u64>()
    ) {
        let (mut sender, mut receiver) = pair(profile);
        let mut order = vec![40_000];
        for wrap in (1..=10).map(|wrap| wrap * 65_536) {
            let mut around: Vec<(u64, u64)> = (wrap - 600..wrap + 600).map(|index| {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                (index + (state >> 33) % depth, index)
            }).collect();
            around.sort_unstable();
            order.extend(around.into_iter().map(|(_, index)| index));
            // From wrap to wrap in steps that say on which side they are.
            order.extend([wrap + 20_000, wrap + 40_000]);
        }
        for index in order {
            let mut packet = seal(&mut sender, 1, index);
            prop_assert_eq!(open(&mut receiver, &mut packet), Ok(index));
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn indices_are_right_and_taken_once_whatever_the_order(
        profile in profile(), first in 0u64..70_000, steps in steps()
    ) {
        let (mut sender, mut receiver) = pair(profile);
        let mut models: HashMap<u8, Model> = HashMap::new();
        for (stream, step) in steps {
            let model = models.entry(stream).or_default();
            let index = match model.newest {
                None => first,
                Some(newest) => newest.saturating_add_signed(step),
            };
            let expected = model.receive(index);
            let mut packet = seal(&mut sender, u32::from(stream), index);
            let result = open(&mut receiver, &mut packet);
            prop_assert_eq!(result, expected, "stream {} index {:#x} newest {:?}", stream, index, model.newest);
            if result.is_ok() {
                prop_assert_eq!(&packet[12..20], &index.to_be_bytes()[..]);
            }
        }
    }

    #[test]
    fn damaged_rtp_is_refused_and_changes_nothing(
        profile in profile(), bytes in any::<u16>().prop_flat_map(|index| {
            let packet = seal(&mut pair(SrtpProfile::AeadAes128Gcm).0, 7, u64::from(index));
            (Just(packet.clone()), damaged(Just(packet)))
        })
    ) {
        let (packet, mut damaged) = bytes;
        let (_, mut receiver) = pair(profile);
        let was_changed = packet != damaged;
        if let Ok(header) = RtpHeader::parse(&damaged) {
            let result = receiver.unprotect_rtp(&mut damaged, &header);
            prop_assert!(result.is_err() || !was_changed);
            prop_assert!(profile == SrtpProfile::AeadAes128Gcm || result.is_err());
            if was_changed && profile == SrtpProfile::AeadAes128Gcm {
                prop_assert!(open(&mut receiver, &mut packet.clone()).is_ok());
            }
        }
    }

    #[test]
    fn damaged_rtcp_is_refused_and_changes_nothing(
        profile in profile(), body in prop::collection::vec(any::<u8>(), 0..80), pick in any::<u64>()
    ) {
        let (mut sender, mut receiver) = pair(profile);
        let packet = seal_rtcp(&mut sender, &body);
        for len in 0..packet.len() {
            prop_assert!(receiver.unprotect_rtcp(&mut packet[..len].to_vec()).is_err());
        }
        let mut flipped = packet.clone();
        let at = pick as usize % packet.len();
        flipped[at] ^= 1 << (pick >> 32 & 7);
        prop_assert!(receiver.unprotect_rtcp(&mut flipped).is_err());
        let mut whole = packet.clone();
        prop_assert_eq!(receiver.unprotect_rtcp(&mut whole), Ok(8 + body.len()));
        prop_assert_eq!(&whole[8..8 + body.len()], &body[..]);
        prop_assert_eq!(receiver.unprotect_rtcp(&mut packet.clone()), Err(SrtpError::Replayed));
    }

    #[test]
    fn rtcp_out_of_order_is_taken_once_each(profile in profile(), order in Just((0usize..40).collect::<Vec<_>>()).prop_shuffle()) {
        let (mut sender, mut receiver) = pair(profile);
        let packets: Vec<Vec<u8>> = (0..40).map(|number| seal_rtcp(&mut sender, &[number; 4])).collect();
        for number in &order {
            prop_assert!(receiver.unprotect_rtcp(&mut packets[*number].clone()).is_ok());
        }
        for number in order {
            prop_assert_eq!(receiver.unprotect_rtcp(&mut packets[number].clone()), Err(SrtpError::Replayed));
        }
    }

    #[test]
    fn random_bytes_are_refused(profile in profile(), mut bytes in prop::collection::vec(any::<u8>(), 0..120)) {
        let (_, mut receiver) = pair(profile);
        if let Some(first) = bytes.first_mut() {
            *first = 0x80 | *first & 0x3F;
        }
        prop_assert!(receiver.unprotect_rtcp(&mut bytes.clone()).is_err());
        if let Ok(header) = RtpHeader::parse(&bytes) {
            prop_assert!(receiver.unprotect_rtp(&mut bytes, &header).is_err());
        }
    }

    /// A header that belongs to another, longer packet: the caller's mistake, and still no panic.
    #[test]
    fn a_header_that_is_not_the_packets_own_is_no_way_in(profile in profile(), header_len in 0usize..200, len in 0usize..100) {
        let (mut sender, mut receiver) = pair(profile);
        let packet = seal(&mut sender, 1, 1);
        let mut header = RtpHeader::parse(&packet).unwrap();
        header.header_len = header_len;
        prop_assert!(receiver.unprotect_rtp(&mut vec![0x80; len], &header).is_err());
    }
}
