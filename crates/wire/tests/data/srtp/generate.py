"""Packets sealed by libsrtp, the implementation in Chromium and Firefox, for tests/srtp_cross_check.rs.

    pip install pylibsrtp && python generate.py > libsrtp.txt

SRTP has no randomness: same key, packet and index, same bytes. So one file shows both directions: what libsrtp sealed
we must open, and what we seal must be what libsrtp sealed.

Lines:  session PROFILE KEY SALT  |  rtp INDEX HEADER_LEN PLAIN SEALED  |  rtcp INDEX PLAIN SEALED
"""

import struct

from pylibsrtp import Policy, Session

PROFILES = {
    "AEAD_AES_128_GCM": (Policy.SRTP_PROFILE_AEAD_AES_128_GCM, 16, 12),
    "AEAD_AES_256_GCM": (Policy.SRTP_PROFILE_AEAD_AES_256_GCM, 32, 12),
    "AES_CM_128_HMAC_SHA1_80": (Policy.SRTP_PROFILE_AES128_CM_SHA1_80, 16, 14),
}

SSRC = 0xCAFEBABE
CSRCS = struct.pack("!II", 0x01020304, 0xA1A2A3A4)
ONE_BYTE = bytes.fromhex("bede0002" "10302201" "0203" "0000")
TWO_BYTE = bytes.fromhex("10000003" "0105") + b"hello" + bytes.fromhex("0200") + bytes(3)


def some_bytes(count, salt):
    return bytes((i * 73 + salt * 31 + (i >> 8)) & 0xFF for i in range(count))


def rtp(index, payload, csrcs=b"", extension=b"", padding=0):
    flags = 0x80 | len(csrcs) // 4 | (0x10 if extension else 0) | (0x20 if padding else 0)
    header = struct.pack("!BBHII", flags, 0x80 | 96, index & 0xFFFF, index * 3000 & 0xFFFFFFFF, SSRC)
    header += csrcs + extension
    tail = bytes(padding - 1) + bytes([padding]) if padding else b""
    return len(header), header + payload + tail


def rtp_packets():
    # Every block boundary of the cipher, and the shapes of a header.
    sizes = [0, 1, 15, 16, 17, 31, 32, 33, 100, 255, 300, 1187]
    index = 32_000
    for number, size in enumerate(sizes):
        yield index, rtp(index, some_bytes(size, number))
        index += 1
    yield index, rtp(index, some_bytes(50, 50), csrcs=CSRCS)
    yield index + 1, rtp(index + 1, some_bytes(51, 51), extension=ONE_BYTE)
    yield index + 2, rtp(index + 2, some_bytes(52, 52), extension=TWO_BYTE)
    yield index + 3, rtp(index + 3, some_bytes(53, 53), csrcs=CSRCS, extension=ONE_BYTE, padding=3)
    yield index + 4, rtp(index + 4, b"", extension=TWO_BYTE, padding=255)
    # Over four wraps, in steps that a receiver can follow, with some out of order around each.
    for index in range(60_000, 5 * 65_536, 30_000):
        yield index, rtp(index, some_bytes(20, index))
    for wrap in range(5, 8):
        for offset in (-3, 1, -1, 0, -2, 25_000):
            index = wrap * 65_536 + offset
            yield index, rtp(index, some_bytes(20, index))
        yield index + 25_000, rtp(index + 25_000, some_bytes(20, index))


def rtcp_packets():
    sender_report = struct.pack("!BBHIQIII", 0x80, 200, 6, SSRC, 0xE0123456_789ABCDE, 90_000, 10, 12_000)
    pli = struct.pack("!BBHII", 0x81, 206, 2, SSRC, 0x11223344)
    sdes = struct.pack("!BBHI", 0x81, 202, 4, SSRC) + b"\x01\x08a@b.test" + bytes(2)
    bye = struct.pack("!BBHI", 0x81, 203, 1, SSRC)
    big = struct.pack("!BBHI", 0x80, 204, 254, SSRC) + b"TEST" + some_bytes(1_008, 9)
    return [pli, sender_report + sdes, bye, sender_report + sdes + pli + bye, big, pli]


def main():
    for name, (profile, key_len, salt_len) in PROFILES.items():
        key, salt = some_bytes(key_len, 1), some_bytes(salt_len, 2)
        print("session", name, key.hex(), salt.hex())
        policy = Policy(key=key + salt, ssrc_type=Policy.SSRC_ANY_OUTBOUND, srtp_profile=profile)
        policy.window_size = 1024
        sender = Session(policy)
        for index, (header_len, plain) in rtp_packets():
            print("rtp", index, header_len, plain.hex(), sender.protect(plain).hex())
        # libsrtp counts from 1.
        for index, plain in enumerate(rtcp_packets(), 1):
            print("rtcp", index, plain.hex(), sender.protect_rtcp(plain).hex())


main()
