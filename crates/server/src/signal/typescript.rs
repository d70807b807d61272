//! Writes the TypeScript of the wire contract, and fails when the written one is stale.
//!
//! To write it anew: `STUDYHALL_WRITE_TYPES=1 cargo test -p server --lib typescript`

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;
use std::{env, fs};

use ts_rs::{Config, TS, TypeVisitor};

use super::messages as m;
use super::messages::{LobbyEvent, RefusalAnswer, RequestName, RoomAuth, RoomEvent};
use crate::http::messages as http;
use crate::http::room_messages as rooms;
use crate::http::study_messages as study;

const HEADER: &str = "\
// Generated from crates/server/src/signal/messages/ and crates/server/src/http/*messages.rs; not to be edited.
// To write it anew: STUDYHALL_WRITE_TYPES=1 cargo test -p server --lib typescript

";

/// Declarations by name, so that the order never changes by itself.
struct Declarations<'a> {
    cfg: &'a Config,
    seen: BTreeMap<String, String>,
}

impl Declarations<'_> {
    fn add<T: TS + 'static + ?Sized>(&mut self) {
        // Only what is declared somewhere has a file; the rest is spelled where it is used.
        if T::output_path().is_none() {
            T::visit_dependencies(self);
            return;
        }
        let name = T::ident(self.cfg);
        if self.seen.contains_key(&name) {
            return;
        }
        let docs = T::docs().unwrap_or_default();
        self.seen.insert(name, format!("{docs}export {}\n", T::decl(self.cfg)));
        T::visit_dependencies(self);
    }
}

impl TypeVisitor for Declarations<'_> {
    fn visit<T: TS + 'static + ?Sized>(&mut self) {
        self.add::<T>();
    }
}

fn generate() -> String {
    let cfg = Config::new().with_large_int("number");
    let mut declarations = Declarations { cfg: &cfg, seen: BTreeMap::new() };
    macro_rules! add { ($($t:ty),* $(,)?) => { $(declarations.add::<$t>();)* }; }
    add!(RoomAuth, RefusalAnswer, http::CreateGuest, http::Guest, http::RoomList, http::Problem);
    add!(http::Register, http::Login, http::SignedIn, http::User, http::ChangeUser, http::ClaimGuest);
    add!(http::TakeAdministrator, http::AuthMethods);
    add!(m::RoomState, m::SeatResumed, m::UserJoined, m::UserLeft, m::UserUpdated, m::NewProducer, m::ProducerOf);
    add!(
        m::ActiveSpeaker,
        m::ParticipantLevel,
        m::ConsumerClosed,
        m::ConsumerLayers,
        m::PublishLayers,
        m::ConsumerScore,
        m::ProducerScore,
        m::Bandwidth,
        m::RecommendAudioOnly,
        m::ErrorEvent,
        m::ServerDraining,
        m::LobbyState
    );
    add!(m::RoomOccupancy, m::CreateTransport, m::ConnectTransport, m::Produce, m::Consume);
    add!(m::ConsumerIds, m::ProducerIdOnly, m::ConsumerIdOnly, m::SetPreferredLayers, m::SetViewport);
    add!(m::TransportIdOnly, m::GetStats, m::RtpCapabilitiesAnswer, m::TransportAnswer);
    add!(m::ProduceAnswer, m::ConsumeAnswer, m::IceParametersAnswer, m::StatsAnswer, m::Connected);
    add!(m::Paused, m::Resumed, m::Closed, m::Okay, m::Left);
    add!(m::SendMessage, m::MessageAnswer, m::SetStatus, m::SetGoal, m::CompleteGoal, m::RaiseHand, m::React);
    add!(m::TimerStart, m::TimerAnswer, m::Moderate, m::Report, m::UpdateRoom, m::RoomAnswer);
    add!(rooms::CreateRoom, rooms::ChangeRoom, rooms::CreateInvite, rooms::Invite, rooms::MessagePage);
    add!(rooms::BanPage, rooms::CreateBan, rooms::ReportPage);
    add!(study::StudySummary, study::StudySessions, study::Leaderboard);
    add!(m::Message, m::ChatCleared, m::RoomUpdated, m::Reaction, m::Waiting, m::Moderated, m::Kicked);

    let mut text = HEADER.to_owned();
    for declaration in declarations.seen.values() {
        text.push_str(declaration);
        text.push('\n');
    }
    events(&mut text, "RoomEvents", ROOM_EVENTS, &RoomEvent::typescript(&cfg));
    events(&mut text, "LobbyEvents", "Server → client, in the lobby.", &LobbyEvent::typescript(&cfg));
    requests(&mut text, &RequestName::typescript(&cfg));
    text
}

const ROOM_EVENTS: &str =
    "Server → client, in a room. What is told again to who missed it carries a number beside, `seq`.";

fn events(text: &mut String, name: &str, docs: &str, events: &[(&'static str, String)]) {
    let _ = writeln!(text, "/** {docs} */\nexport interface {name} {{");
    for (event, payload) in events {
        let _ = writeln!(text, "  '{event}': {payload};");
    }
    text.push_str("}\n\n");
}

fn requests(text: &mut String, requests: &[(&'static str, String, String)]) {
    text.push_str("/** Client → server, in a room; each is answered through its acknowledgement. */\n");
    text.push_str("export interface RoomRequests {\n");
    for (event, payload, answer) in requests {
        let payload = if payload == "null" { "undefined" } else { payload };
        let _ = writeln!(text, "  '{event}': {{ payload: {payload}; answer: {answer} }};");
    }
    text.push_str("}\n");
}

#[test]
fn typescript_of_the_contract_is_up_to_date() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../web/src/protocol/generated/messages.ts");
    let generated = generate();
    if env::var_os("STUDYHALL_WRITE_TYPES").is_some() {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, &generated).unwrap();
    }
    let written = fs::read_to_string(&path).unwrap_or_default();
    assert!(
        written == generated,
        "web/src/protocol/generated/messages.ts is stale; write it anew with \
         STUDYHALL_WRITE_TYPES=1 cargo test -p server --lib typescript"
    );
}
