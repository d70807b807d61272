//! Time to seal and to open one packet, in place, for every profile. The keys are expanded before.

use std::cell::RefCell;

use criterion::{BatchSize, BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use wire::rtp::{FIXED_HEADER_LEN, HeaderFields, RtpHeader, write_header};
use wire::srtp::{MasterKey, SrtpProfile, SrtpReceiver, SrtpSender};
use wire::{ExtSeqNo, PayloadType, RtpTimestamp, Ssrc};

const PROFILES: [SrtpProfile; 3] =
    [SrtpProfile::AeadAes128Gcm, SrtpProfile::AeadAes256Gcm, SrtpProfile::AesCm128HmacSha1_80];

/// Lengths of the plain packet: speech, screen, camera.
const LENGTHS: [usize; 3] = [100, 300, 1_200];

/// Packets opened in one go; few enough to stay in the cache.
const BATCH: u64 = 64;

fn master(profile: SrtpProfile) -> MasterKey {
    MasterKey::new(&[7; 32][..profile.key_len()], &[9; 14][..profile.salt_len()])
}

fn packet(len: usize, index: ExtSeqNo) -> Vec<u8> {
    let mut out = Vec::with_capacity(len + 16);
    let fields = HeaderFields {
        marker: false,
        payload_type: PayloadType::from_low_bits(96),
        seq: index.truncate(),
        timestamp: RtpTimestamp::new(3_000),
        ssrc: Ssrc::new(0x1234_5678),
    };
    write_header(&mut out, &fields, false, false);
    out.resize(len, 0xA5);
    out
}

fn protect(c: &mut Criterion) {
    let mut group = c.benchmark_group("protect_rtp");
    for profile in PROFILES {
        for len in LENGTHS {
            group.throughput(Throughput::Elements(1));
            group.bench_function(BenchmarkId::new(format!("{profile:?}"), len), |b| {
                let mut sender = SrtpSender::new(profile, &master(profile)).expect("lengths are the profile's");
                let mut index = ExtSeqNo::new(1);
                let mut out = packet(len, index);
                b.iter(|| {
                    out.truncate(len);
                    index = index.next();
                    sender.protect_rtp(&mut out, 0, FIXED_HEADER_LEN, index).expect("a whole packet");
                });
            });
        }
    }
}

fn unprotect(c: &mut Criterion) {
    let mut group = c.benchmark_group("unprotect_rtp");
    for profile in PROFILES {
        for len in LENGTHS {
            group.throughput(Throughput::Elements(1));
            group.bench_function(BenchmarkId::new(format!("{profile:?}"), len), |b| {
                let sender = SrtpSender::new(profile, &master(profile)).expect("lengths are the profile's");
                let sender = RefCell::new((sender, ExtSeqNo::new(1)));
                let mut receiver = SrtpReceiver::new(profile, &master(profile)).expect("lengths are the profile's");
                let seal = || {
                    let (sender, index) = &mut *sender.borrow_mut();
                    *index = index.next();
                    let mut out = packet(len, *index);
                    sender.protect_rtp(&mut out, 0, FIXED_HEADER_LEN, *index).expect("a whole packet");
                    out
                };
                let open = |packet: &mut Vec<u8>| {
                    let header = RtpHeader::parse(packet).expect("a whole header");
                    receiver.unprotect_rtp(packet, &header).expect("authentic")
                };
                b.iter_batched_ref(seal, open, BatchSize::NumIterations(BATCH));
            });
        }
    }
}

criterion_group!(benches, protect, unprotect);
criterion_main!(benches);
