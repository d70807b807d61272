//! Test vectors of RFC 5769, and what a hostile or careless peer makes of a message.

use std::net::SocketAddr;

use super::*;

/// RFC 5769 §2.1 to §2.3: short-term credentials.
const PASSWORD: &str = "VOkJxbRl1RmTxUk/WvJxBt";

const ID: TransactionId = TransactionId([0xb7, 0xe7, 0xa7, 0x01, 0xbc, 0x34, 0xd6, 0x86, 0xfa, 0x87, 0xdf, 0xae]);

const REQUEST: &str = "
    00010058 2112a442 b7e7a701bc34d686fa87dfae
    80220010 5354554e207465737420636c69656e74
    00240004 6e0001ff
    80290008 932ff9b151263b36
    00060009 6576746a3a68367659202020
    00080014 9aeaa70cbfd8cb56781ef2b5b2d3f249c1b571a2
    80280004 e57a3bcf";

const IPV4_RESPONSE: &str = "
    0101003c 2112a442 b7e7a701bc34d686fa87dfae
    8022000b 7465737420766563746f7220
    00200008 0001a147e112a643
    00080014 2b91f599fd9e90c38c7489f92af9ba53f06be7d7
    80280004 c07d4c96";

const IPV6_RESPONSE: &str = "
    01010048 2112a442 b7e7a701bc34d686fa87dfae
    8022000b 7465737420766563746f7220
    00200014 0002a1470113a9faa5d3f179bc25f4b5bed2b9d9
    00080014 a382954e4be67bf11784c97c8292c275bfe3ed41
    80280004 c8fb0b4c";

fn hex(text: &str) -> Vec<u8> {
    let digits: Vec<u8> = text.chars().filter_map(|c| c.to_digit(16)).map(|digit| digit as u8).collect();
    digits.chunks(2).map(|pair| pair[0] << 4 | pair[1]).collect()
}

fn key() -> IntegrityKey {
    IntegrityKey::short_term(PASSWORD)
}

/// A binding request with these attributes as they are, FINGERPRINT not among them.
fn request(attributes: &[u8]) -> Vec<u8> {
    let mut bytes = hex("0001 0000 2112a442 b7e7a701bc34d686fa87dfae");
    bytes.extend_from_slice(attributes);
    let len = attributes.len() as u16;
    bytes[2..4].copy_from_slice(&len.to_be_bytes());
    bytes
}

fn built(build: impl FnOnce(Builder<'_>) -> Builder<'_>, key: Option<&IntegrityKey>) -> Vec<u8> {
    let mut out = Vec::new();
    build(Builder::new(&mut out, Class::Request, Method::BINDING, ID)).finish(key);
    out
}

#[test]
fn the_request_of_rfc_5769_is_read_whole() {
    let bytes = hex(REQUEST);
    let message = Message::parse(&bytes).unwrap();
    assert_eq!((message.class(), message.method()), (Class::Request, Method::BINDING));
    assert_eq!(message.transaction_id(), ID);
    assert_eq!(message.software(), Some("STUN test client"));
    assert_eq!(message.priority(), Some(0x6e00_01ff));
    assert_eq!(message.ice_controlled(), Some(0x932f_f9b1_5126_3b36));
    assert_eq!((message.ice_controlling(), message.use_candidate()), (None, false));
    assert_eq!(message.username(), Some("evtj:h6vY"));
    assert_eq!(message.unknown_comprehension_required().count(), 0);
    assert!(message.has_fingerprint() && message.has_integrity());
    assert!(message.verify_integrity(&key()));
    assert!(!message.verify_integrity(&IntegrityKey::short_term("VOkJxbRl1RmTxUk/WvJxBs")));
}

#[test]
fn the_responses_of_rfc_5769_tell_their_addresses() {
    let cases = [(IPV4_RESPONSE, "192.0.2.1:32853"), (IPV6_RESPONSE, "[2001:db8:1234:5678:11:2233:4455:6677]:32853")];
    for (text, address) in cases {
        let bytes = hex(text);
        let message = Message::parse(&bytes).unwrap();
        assert_eq!(message.class(), Class::Success);
        assert_eq!(message.xor_mapped_address(), Some(address.parse().unwrap()));
        assert_eq!(message.software(), Some("test vector"));
        assert!(message.has_fingerprint() && message.verify_integrity(&key()));
    }
}

#[test]
fn a_response_is_written_as_that_of_rfc_5769_but_for_the_padding_byte() {
    let address: SocketAddr = "[2001:db8:1234:5678:11:2233:4455:6677]:32853".parse().unwrap();
    let mut out = vec![0xEE; 3];
    Builder::new(&mut out, Class::Success, Method::BINDING, ID)
        .software("test vector")
        .xor_mapped_address(address)
        .finish(Some(&key()));
    let expected = hex(IPV6_RESPONSE);
    // The vector pads with a blank, we with zero; both checksums cover it.
    assert_eq!(out[3..3 + 35], expected[..35]);
    assert_eq!(out[3 + 36..3 + 36 + 24], expected[36..36 + 24]);
    let message = Message::parse(&out[3..]).unwrap();
    assert!(message.verify_integrity(&key()) && message.has_fingerprint());
}

#[test]
fn everything_written_is_read_again() {
    let bytes = built(
        |builder| {
            builder
                .username("aaaa:bbbb")
                .priority(7)
                .use_candidate()
                .ice_controlled(1 << 40)
                .ice_controlling(2 << 40)
                .error_code(487, "Role Conflict")
                .unknown_attributes(&[0x0101, 0x7fff, 3])
                .software("s")
        },
        Some(&key()),
    );
    let message = Message::parse(&bytes).unwrap();
    assert_eq!(message.username(), Some("aaaa:bbbb"));
    assert_eq!((message.priority(), message.use_candidate()), (Some(7), true));
    assert_eq!((message.ice_controlled(), message.ice_controlling()), (Some(1 << 40), Some(2 << 40)));
    assert_eq!(message.error_code(), Some((487, "Role Conflict")));
    assert!(message.unknown_attributes().eq([0x0101, 0x7fff, 3]));
    assert_eq!(message.software(), Some("s"));
    assert!(message.verify_integrity(&key()));
}

#[test]
fn class_and_method_go_through_the_type_field_unchanged() {
    for class in [Class::Request, Class::Indication, Class::Success, Class::Error] {
        for method in 0..1 << 12 {
            let joined = join_type(class, Method(method));
            assert_eq!((joined & 0xC000, split_type(joined)), (0, (class, Method(method))));
        }
    }
    assert_eq!(join_type(Class::Error, Method::BINDING), 0x0111);
}

#[test]
fn an_address_of_ipv4_in_ipv6_clothes_is_written_as_ipv4() {
    let bytes = built(|builder| builder.xor_mapped_address("[::ffff:192.0.2.7]:9".parse().unwrap()), None);
    assert_eq!(Message::parse(&bytes).unwrap().xor_mapped_address(), Some("192.0.2.7:9".parse().unwrap()));
}

#[test]
fn a_message_cut_at_any_length_or_with_more_behind_it_is_refused() {
    let mut bytes = hex(REQUEST);
    for len in 0..bytes.len() {
        assert!(Message::parse(&bytes[..len]).is_err(), "{len}");
    }
    bytes.extend_from_slice(&[0; 4]);
    assert_eq!(Message::parse(&bytes).err(), Some(StunError::Length));
}

#[test]
fn any_flipped_bit_is_noticed() {
    let bytes = hex(REQUEST);
    for bit in 0..bytes.len() * 8 {
        let mut damaged = bytes.clone();
        damaged[bit / 8] ^= 1 << (bit % 8);
        // FINGERPRINT finds all but a change of its own type, and then it is no FINGERPRINT any more.
        match Message::parse(&damaged) {
            Err(_) => {}
            Ok(message) => assert!(!message.has_fingerprint(), "bit {bit}"),
        }
    }
}

#[test]
fn a_wrong_header_is_told_by_its_error() {
    let valid = request(&[]);
    assert!(Message::parse(&valid).is_ok());
    let cases = [
        (0, 0x40, StunError::NotStun),
        (0, 0x80, StunError::NotStun),
        (4, 0x22, StunError::NotStun),
        (2, 0x01, StunError::Length),
        (3, 0x04, StunError::Length),
    ];
    for (at, value, error) in cases {
        let mut bytes = valid.clone();
        bytes[at] = value;
        assert_eq!(Message::parse(&bytes).err(), Some(error), "byte {at} = {value:#x}");
    }
    let mut odd = request(&[0x80, 0x22]);
    assert_eq!(Message::parse(&odd).err(), Some(StunError::Length));
    odd.truncate(19);
    assert_eq!(Message::parse(&odd).err(), Some(StunError::Length));
}

#[test]
fn an_attribute_that_does_not_fit_is_refused() {
    for attributes in ["80220005 74657374", "8022ffff 74657374", "00080010 00000000000000000000000000000000"] {
        assert_eq!(Message::parse(&request(&hex(attributes))).err(), Some(StunError::Attribute), "{attributes}");
    }
}

#[test]
fn nothing_may_follow_the_fingerprint() {
    let mut bytes = built(|builder| builder, None);
    bytes.extend_from_slice(&hex("80220000"));
    bytes[3] += 4;
    // The length that the checksum covers is now another, too; set right, it is still not the last.
    let right = fingerprint::fingerprint(&bytes[..20]);
    bytes[20 + 4..20 + 8].copy_from_slice(&right);
    assert_eq!(Message::parse(&bytes).err(), Some(StunError::Fingerprint));
}

#[test]
fn what_comes_after_the_integrity_does_not_count() {
    let mut bytes = built(|builder| builder.priority(1), Some(&key()));
    // In the place of FINGERPRINT: USE-CANDIDATE, unprotected, and an unknown attribute.
    bytes.truncate(bytes.len() - 8);
    bytes.extend_from_slice(&hex("00250000 70000000"));
    let message = Message::parse(&bytes).unwrap();
    assert!(message.verify_integrity(&key()));
    assert_eq!((message.priority(), message.use_candidate()), (Some(1), false));
    assert_eq!(message.unknown_comprehension_required().count(), 0);
}

#[test]
fn an_integrity_behind_the_stronger_one_does_not_count() {
    let mut attributes = hex("001c0004 00000000 00240004 00000001");
    let signed = built(|builder| builder, Some(&key()));
    attributes.extend_from_slice(&signed[20..44]);
    let bytes = request(&attributes);
    let message = Message::parse(&bytes).unwrap();
    assert!(!message.has_integrity() && !message.verify_integrity(&key()));
    assert_eq!(message.priority(), None);
}

#[test]
fn unknown_attributes_are_named_only_when_they_must_be_understood() {
    // 0x0003 is CHANGE-REQUEST of RFC 5780; 0x7fff is nobody's; 0xc057 is NETWORK-COST of browsers.
    let bytes = request(&hex("00030000 c0570004 00000032 7fff0001 aa000000 00240004 00000001"));
    let message = Message::parse(&bytes).unwrap();
    assert!(message.unknown_comprehension_required().eq([0x0003, 0x7fff]));
    assert_eq!(message.priority(), Some(1));
}

#[test]
fn of_two_attributes_of_a_kind_the_first_counts() {
    let bytes = request(&hex("00240004 00000001 00240004 00000002"));
    assert_eq!(Message::parse(&bytes).unwrap().priority(), Some(1));
}

#[test]
fn values_of_another_length_than_their_own_are_no_values() {
    let bytes = request(&hex(
        "00240003 000001ff 80290004 00000000 802a0009 000000000000000000000000 00200004 00010001 00090002 00000000",
    ));
    let message = Message::parse(&bytes).unwrap();
    assert_eq!((message.priority(), message.ice_controlled(), message.ice_controlling()), (None, None, None));
    assert_eq!((message.xor_mapped_address(), message.error_code()), (None, None));
    for address in ["00010001 01020304 05060708", "00020001 01020304", "00030001 01020304"] {
        let value = hex(address);
        let mut attribute = vec![0, 0x20, 0, value.len() as u8];
        attribute.extend(value);
        assert_eq!(Message::parse(&request(&attribute)).unwrap().xor_mapped_address(), None, "{address}");
    }
}

#[test]
fn only_error_numbers_that_exist_are_read() {
    let cases = [("0000020b", None), ("0000070b", None), ("00000364", None), ("0000fc14", Some(420))];
    for (value, expected) in cases {
        let bytes = request(&hex(&format!("00090004 {value}")));
        let code = Message::parse(&bytes).unwrap().error_code().map(|(code, _)| code);
        assert_eq!(code, expected, "{value}");
    }
}

#[test]
fn texts_are_read_up_to_their_limits() {
    for (kind, max) in [(attribute::USERNAME, MAX_USERNAME_LEN), (attribute::SOFTWARE, MAX_TEXT_LEN)] {
        for len in [max, max + 1] {
            let mut attribute = kind.to_be_bytes().to_vec();
            attribute.extend_from_slice(&(len as u16).to_be_bytes());
            attribute.resize(4 + len.next_multiple_of(4), b'x');
            let bytes = request(&attribute);
            let message = Message::parse(&bytes).unwrap();
            let text = if kind == attribute::USERNAME { message.username() } else { message.software() };
            assert_eq!(text.map(str::len), (len == max).then_some(max));
        }
    }
    let not_utf8 = request(&hex("00060002 c3280000"));
    assert_eq!(Message::parse(&not_utf8).unwrap().username(), None);
}

#[test]
fn texts_and_lists_are_written_up_to_their_limits() {
    let long = "ü".repeat(1000);
    let kinds: Vec<u16> = (0x5000..0x6000).collect();
    let bytes = built(
        |builder| builder.username(&long).software(&long).error_code(420, &long).unknown_attributes(&kinds),
        Some(&key()),
    );
    let message = Message::parse(&bytes).unwrap();
    // One byte less than the limit, which would cut a character in two.
    assert_eq!(message.username().map(str::len), Some(MAX_USERNAME_LEN - 1));
    assert_eq!(message.software().map(str::len), Some(MAX_TEXT_LEN - 1));
    assert_eq!(message.error_code().map(|(code, reason)| (code, reason.len())), Some((420, MAX_TEXT_LEN - 1)));
    assert!(message.unknown_attributes().eq(kinds.into_iter().take(MAX_UNKNOWN_ATTRIBUTES)));
}

#[test]
fn a_key_is_not_shown() {
    assert_eq!(format!("{:?}", key()), "IntegrityKey(..)");
}
