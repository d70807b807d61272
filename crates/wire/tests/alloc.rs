//! Sealing and opening packets of known streams allocates nothing.

use wire::rtp::{self, FIXED_HEADER_LEN, HeaderFields, RtpHeader};
use wire::srtp::{MasterKey, SrtpProfile, SrtpReceiver, SrtpSender};
use wire::{ExtSeqNo, PayloadType, RtpTimestamp, Ssrc};

const PROFILES: [SrtpProfile; 3] =
    [SrtpProfile::AeadAes128Gcm, SrtpProfile::AeadAes256Gcm, SrtpProfile::AesCm128HmacSha1_80];

/// Seals and opens one packet of each kind; `out` has room for both.
fn turn(sender: &mut SrtpSender, receiver: &mut SrtpReceiver, out: &mut Vec<u8>, index: ExtSeqNo) {
    out.clear();
    let fields = HeaderFields {
        marker: true,
        payload_type: PayloadType::from_low_bits(96),
        seq: index.truncate(),
        timestamp: RtpTimestamp::new(1),
        ssrc: Ssrc::new(1),
    };
    rtp::write_header(out, &fields, false, false);
    out.resize(1_100, 7);
    sender.protect_rtp(out, 0, FIXED_HEADER_LEN, index).expect("a whole packet");
    let header = RtpHeader::parse(out).expect("a whole header");
    assert_eq!(receiver.unprotect_rtp(out, &header), Ok((1_100, index)));
    assert!(receiver.unprotect_rtp(out, &header).is_err());
    out.clear();
    wire::rtcp::write_pli(out, Ssrc::new(1), Ssrc::new(2));
    sender.protect_rtcp(out, 0).expect("a whole packet");
    assert_eq!(receiver.unprotect_rtcp(out), Ok(12));
}

#[test]
fn packets_of_known_streams_allocate_nothing() {
    for profile in PROFILES {
        let master = MasterKey::new(&[1; 32][..profile.key_len()], &[2; 14][..profile.salt_len()]);
        let mut sender = SrtpSender::new(profile, &master).unwrap();
        let mut receiver = SrtpReceiver::new(profile, &master).unwrap();
        let mut out = Vec::with_capacity(1_500);
        turn(&mut sender, &mut receiver, &mut out, ExtSeqNo::new(1));
        let counted = allocation_counter::measure(|| {
            for index in 2..100 {
                turn(&mut sender, &mut receiver, &mut out, ExtSeqNo::new(index));
            }
        });
        assert_eq!(counted.count_total, 0, "{profile:?}");
    }
}

#[test]
fn an_allocation_would_be_counted() {
    let counted = allocation_counter::measure(|| drop(std::hint::black_box(vec![1u8; 100])));
    assert_eq!(counted.count_total, 1);
}
