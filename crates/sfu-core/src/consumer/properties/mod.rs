//! What holds of every consumer, whatever its publisher sends, its network loses and its viewer asks for.
//!
//! A publisher model ([`encoder`]) makes frames of which it is known what they need, a script ([`rig`]) says what happens, and a
//! viewer model ([`viewer`]) is given only what the consumer forwarded. The path of a packet is the real one, from the parsed
//! header to the written bytes.

mod encoder;
mod rig;
mod viewer;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::TestCaseError;
use wire::codec::CodecKind;
use wire::ortc::SpatialDependency;

use self::encoder::{Mode, SINGLE, THREE, THREE_FLEXIBLE, TWO, TWO_FLEXIBLE, VP8_THREE, VP8_THREE_SHORT, VP8_TWO};
use self::rig::{Event, Fate, Script, run};
use super::Share;
use crate::producer::Layer;

const VP8: Mode = Mode {
    name: "VP8",
    codec: CodecKind::Vp8,
    streams: 1,
    spatial: 1,
    pattern: SINGLE,
    dependency: SpatialDependency::Full,
    wide: true,
};

/// Simulcast, as browsers do it.
const SIMULCAST: [Mode; 9] = [
    Mode { name: "VP8 1", ..VP8 },
    Mode { name: "VP8 1xT2", pattern: VP8_TWO, wide: false, ..VP8 },
    Mode { name: "VP8 1xT3", pattern: VP8_THREE, ..VP8 },
    Mode { name: "VP8 2xT2", streams: 2, pattern: VP8_TWO, ..VP8 },
    Mode { name: "VP8 3", streams: 3, wide: false, ..VP8 },
    Mode { name: "VP8 3xT3", streams: 3, pattern: VP8_THREE, ..VP8 },
    Mode { name: "VP8 3xT3 short", streams: 3, pattern: VP8_THREE_SHORT, wide: false, ..VP8 },
    Mode { name: "VP9 2xT2", codec: CodecKind::Vp9, streams: 2, pattern: TWO, wide: false, ..VP8 },
    Mode { name: "AV1 3xT3", codec: CodecKind::Av1, streams: 3, pattern: THREE, ..VP8 },
];

const VP9: Mode = Mode { name: "VP9", codec: CodecKind::Vp9, wide: false, ..VP8 };
const VP9_KEY: Mode = Mode { dependency: SpatialDependency::KeyOnly, ..VP9 };
const VP9_S: Mode = Mode { dependency: SpatialDependency::None, ..VP9 };

/// Layers within one VP9 stream.
const VP9_LAYERS: [Mode; 11] = [
    Mode { name: "VP9 L1T2", pattern: TWO, ..VP9 },
    Mode { name: "VP9 L1T3", pattern: THREE, ..VP9 },
    Mode { name: "VP9 L1T2 flexible", pattern: TWO_FLEXIBLE, wide: true, ..VP9 },
    Mode { name: "VP9 L1T3 flexible", pattern: THREE_FLEXIBLE, wide: true, ..VP9 },
    Mode { name: "VP9 L2T1", spatial: 2, ..VP9 },
    Mode { name: "VP9 L3T1", spatial: 3, ..VP9 },
    Mode { name: "VP9 L3T3", spatial: 3, pattern: THREE_FLEXIBLE, wide: true, ..VP9 },
    Mode { name: "VP9 L3T3_KEY", spatial: 3, pattern: THREE, ..VP9_KEY },
    Mode { name: "VP9 L2T2_KEY flexible", spatial: 2, pattern: TWO_FLEXIBLE, wide: true, ..VP9_KEY },
    Mode { name: "VP9 S2T1", spatial: 2, ..VP9_S },
    Mode { name: "VP9 S3T3", spatial: 3, pattern: THREE, ..VP9_S },
];

const AV1: Mode = Mode { name: "AV1", codec: CodecKind::Av1, ..VP8 };

/// Layers within one AV1 stream, told by dependency descriptors.
const AV1_LAYERS: [Mode; 6] = [
    Mode { name: "AV1 L1T2", pattern: TWO, ..AV1 },
    Mode { name: "AV1 L1T3", pattern: THREE, ..AV1 },
    Mode { name: "AV1 L2T2", spatial: 2, pattern: TWO, ..AV1 },
    Mode { name: "AV1 L3T3", spatial: 3, pattern: THREE, ..AV1 },
    Mode { name: "AV1 L3T3_KEY", spatial: 3, pattern: THREE, dependency: SpatialDependency::KeyOnly, ..AV1 },
    Mode { name: "AV1 S2T1", spatial: 2, dependency: SpatialDependency::None, ..AV1 },
];

/// Cases of each property; the tests here take some seconds together.
const CASES: u32 = 700;

fn layer() -> impl Strategy<Value = Layer> {
    (0_u8..3, prop_oneof![0_u8..3, Just(u8::MAX)]).prop_map(|(spatial, temporal)| Layer { spatial, temporal })
}

fn event() -> impl Strategy<Value = Event> {
    let share = prop_oneof![Just(Share::Unlimited), layer().prop_map(Share::UpTo), Just(Share::Nothing)];
    prop_oneof![
        1 => Just(Event::Nothing),
        4 => layer().prop_map(Event::Prefer),
        3 => share.prop_map(Event::Share),
        1 => any::<bool>().prop_map(Event::Paused),
        2 => (0_u8..3).prop_map(Event::Key),
        3 => (0_u8..3, any::<bool>()).prop_map(|(spatial, is_active)| Event::Active(spatial, is_active)),
        1 => Just(Event::Report),
    ]
}

fn script(modes: &'static [Mode], fates: impl Strategy<Value = Vec<Fate>>) -> impl Strategy<Value = Script> {
    let pictures = prop_oneof![8 => 1_u8..12, 2 => 12_u8..70];
    (prop::sample::select(modes), vec((event(), pictures), 1..14), fates, 1_u8..4, 1_u8..4, any::<bool>()).prop_map(
        |(mode, events, fates, packets, answer, reports)| Script { mode, events, fates, packets, answer, reports },
    )
}

fn clean() -> impl Strategy<Value = Vec<Fate>> {
    Just(vec![Fate::Arrives])
}

fn damaged() -> impl Strategy<Value = Vec<Fate>> {
    let fate = prop_oneof![30 => Just(Fate::Arrives), 1 => Just(Fate::Lost), 2 => (1_u8..9).prop_map(Fate::Late)];
    vec(fate, 1..150)
}

/// `PROPTEST_CASES` in the environment asks for more.
fn config() -> ProptestConfig {
    let usual = ProptestConfig::default();
    ProptestConfig { cases: if std::env::var_os("PROPTEST_CASES").is_some() { usual.cases } else { CASES }, ..usual }
}

/// The scripts that once showed something wrong, as short as they could be made.
fn found(mode: Mode, events: Vec<(Event, u8)>, fates: Vec<Fate>) -> Result<(), TestCaseError> {
    run(&Script { mode, events, fates, packets: 2, answer: 1, reports: false })
}

#[test]
fn a_viewer_of_fewer_pictures_gets_all_again_without_a_key_frame() -> Result<(), TestCaseError> {
    let prefer = |temporal| Event::Prefer(Layer { spatial: 0, temporal });
    found(AV1_LAYERS[1], vec![(prefer(0), 9), (prefer(u8::MAX), 1)], vec![Fate::Arrives])
}

#[test]
fn a_mark_on_a_picture_that_needs_another_layer_raises_nobody_to_it() -> Result<(), TestCaseError> {
    let prefer = |temporal| Event::Prefer(Layer { spatial: 0, temporal });
    found(VP9_LAYERS[1], vec![(prefer(0), 3), (prefer(u8::MAX), 1)], vec![Fate::Arrives])
}

#[test]
fn a_viewer_of_one_of_several_independent_layers_begins_with_that_one() -> Result<(), TestCaseError> {
    let share = |share| (Event::Share(share), 3);
    let events = vec![share(Share::Unlimited), share(Share::Nothing), share(Share::Unlimited)];
    found(AV1_LAYERS[5], events, vec![Fate::Arrives])
}

#[test]
fn a_late_packet_of_a_layer_that_is_left_out_comes_without_payload() -> Result<(), TestCaseError> {
    let mut fates = vec![Fate::Arrives; 28];
    fates.push(Fate::Late(1));
    found(AV1_LAYERS[4], vec![(Event::Nothing, 12)], fates)
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn simulcast_goes_on_without_a_seam(script in script(&SIMULCAST, clean())) {
        run(&script)?;
    }

    #[test]
    fn simulcast_survives_a_bad_network(script in script(&SIMULCAST, damaged())) {
        run(&script)?;
    }

    #[test]
    fn layers_of_vp9_go_on_without_a_seam(script in script(&VP9_LAYERS, clean())) {
        run(&script)?;
    }

    #[test]
    fn layers_of_vp9_survive_a_bad_network(script in script(&VP9_LAYERS, damaged())) {
        run(&script)?;
    }

    #[test]
    fn layers_of_av1_go_on_without_a_seam(script in script(&AV1_LAYERS, clean())) {
        run(&script)?;
    }

    #[test]
    fn layers_of_av1_survive_a_bad_network(script in script(&AV1_LAYERS, damaged())) {
        run(&script)?;
    }
}
