//! What a room is called, who finds it, how many fit in and what is allowed: read from what was asked for, kept in memory,
//! and written to the database.

use sqlx::Row as _;
use sqlx::any::AnyRow;

use super::texts::text;
use crate::config::Limits;
use crate::db::Statement;
use crate::error::{Code, Refusal};
use crate::http::room_messages::ChangeRoom;
use crate::signal::messages::{Policy, PolicyChange, UpdateRoom, Visibility};

/// Longest texts, in characters.
const MAX_NAME: usize = 80;
const MAX_TOPIC: usize = 200;
/// Longest language tag that is of use, in bytes (RFC 5646 §4.4.1).
const MAX_LANGUAGE: usize = 35;
/// Longest time between two messages of one person, in seconds.
const MAX_SLOW_MODE: u32 = 3_600;
/// Most microphones that a room can say are to be heard.
const MAX_LOUDEST: u8 = 50;
/// More seats has no room.
const MAX_CAPACITY: u32 = 1_000;

/// Of one room.
#[derive(Clone, Debug)]
pub(crate) struct About {
    pub(crate) name: String,
    pub(crate) topic: String,
    pub(crate) language: String,
    /// Seats; `None`: as configured.
    pub(crate) capacity: Option<u32>,
    pub(crate) visibility: Visibility,
    /// argon2id, as a PHC string.
    pub(crate) password_hash: Option<String>,
    /// The account that made it, as `u:…`; nobody made those that come with the server.
    pub(crate) owner: Option<String>,
    pub(crate) locked: bool,
    pub(crate) policy: Policy,
}

impl About {
    /// A public room without anything special.
    pub(crate) fn named(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            topic: String::new(),
            language: String::new(),
            capacity: None,
            visibility: Visibility::default(),
            password_hash: None,
            owner: None,
            locked: false,
            policy: Policy::default(),
        }
    }

    /// As it was stored. A policy that cannot be read, because a newer server wrote it, becomes the usual one.
    pub(super) fn from_row(row: &AnyRow) -> Result<Self, sqlx::Error> {
        let visibility = match row.try_get::<String, _>("visibility")?.as_str() {
            "private" => Visibility::Private,
            "unlisted" => Visibility::Unlisted,
            _ => Visibility::Public,
        };
        let owner: Option<String> = row.try_get("owner_id")?;
        let policy = row.try_get::<String, _>("policy")?;
        Ok(Self {
            name: row.try_get("name")?,
            topic: row.try_get("topic")?,
            language: row.try_get("language")?,
            capacity: u32::try_from(row.try_get::<i64, _>("capacity")?).ok().filter(|&capacity| capacity > 0),
            visibility,
            password_hash: row.try_get("password_hash")?,
            owner: owner.map(|id| format!("u:{id}")),
            locked: row.try_get::<i64, _>("locked")? != 0,
            policy: serde_json::from_str(&policy).unwrap_or_default(),
        })
    }

    /// Has the database know of it.
    pub(super) fn insert(&self, id: &str, position: i64, now_ms: u64) -> Statement {
        let sql = "INSERT INTO rooms (id, position, name, topic, language, capacity, visibility, password_hash, owner_id, \
                   policy, locked, created_at_ms) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12) \
                   ON CONFLICT (id) DO NOTHING";
        let statement = Statement::new(sql).text(id).number(position).text(&self.name).text(&self.topic);
        let statement =
            statement.text(&self.language).number(self.capacity.unwrap_or(0)).text(self.visibility.as_str());
        let owner = self.owner.as_deref().and_then(|owner| owner.strip_prefix("u:"));
        let statement = statement.text_or_null(self.password_hash.as_deref()).text_or_null(owner);
        statement.text(self.policy_json()).number(i64::from(self.locked)).number(now_ms)
    }

    /// Has the database know how it is now.
    pub(super) fn update(&self, id: &str) -> Statement {
        let sql = "UPDATE rooms SET name = $1, topic = $2, language = $3, capacity = $4, visibility = $5, password_hash = $6, \
                   owner_id = $7, policy = $8, locked = $9 WHERE id = $10";
        let statement = Statement::new(sql).text(&self.name).text(&self.topic).text(&self.language);
        let statement = statement.number(self.capacity.unwrap_or(0)).text(self.visibility.as_str());
        let owner = self.owner.as_deref().and_then(|owner| owner.strip_prefix("u:"));
        let statement = statement.text_or_null(self.password_hash.as_deref()).text_or_null(owner);
        statement.text(self.policy_json()).number(i64::from(self.locked)).text(id)
    }

    fn policy_json(&self) -> String {
        serde_json::to_string(&self.policy).unwrap_or_default()
    }

    /// Becomes what was asked for.
    pub(crate) fn apply(&mut self, change: Change) {
        let Change { name, topic, language, capacity, visibility, password_hash, locked, policy } = change;
        replace(&mut self.name, name);
        replace(&mut self.topic, topic);
        replace(&mut self.language, language);
        self.capacity = capacity.or(self.capacity);
        replace(&mut self.visibility, visibility);
        replace(&mut self.password_hash, password_hash);
        replace(&mut self.locked, locked);
        let to = &mut self.policy;
        replace(&mut to.mics, policy.mics);
        replace(&mut to.camera, policy.camera);
        replace(&mut to.chat, policy.chat);
        replace(&mut to.timer_control, policy.timer_control);
        replace(&mut to.guests, policy.guests);
        replace(&mut to.waiting_room, policy.waiting_room);
        to.loudest = policy.loudest.or(to.loudest);
        replace(&mut to.slow_mode_seconds, policy.slow_mode_seconds);
    }
}

fn replace<T>(value: &mut T, with: Option<T>) {
    if let Some(with) = with {
        *value = with;
    }
}

/// What shall be otherwise: looked through, and allowed.
#[derive(Debug, Default)]
pub(crate) struct Change {
    pub(crate) name: Option<String>,
    pub(crate) topic: Option<String>,
    pub(crate) language: Option<String>,
    pub(crate) capacity: Option<u32>,
    pub(crate) visibility: Option<Visibility>,
    pub(crate) password_hash: Option<Option<String>>,
    pub(crate) locked: Option<bool>,
    pub(crate) policy: PolicyChange,
}

impl Change {
    /// What `update-room` asks for.
    ///
    /// # Errors
    /// When a field is wrong, or more is wanted than may be had.
    pub(crate) fn of_update(request: UpdateRoom, limits: &Limits, is_admin: bool) -> Result<Self, Refusal> {
        let UpdateRoom { name, topic, language, capacity, locked, policy } = request;
        let change = ChangeRoom { name, topic, language, capacity, locked, policy, ..ChangeRoom::default() };
        Self::of_patch(change, None, limits, is_admin)
    }

    /// What `PATCH /api/rooms/{id}` asks for; the password was hashed already.
    ///
    /// # Errors
    /// When a field is wrong, or more is wanted than may be had.
    pub(crate) fn of_patch(
        request: ChangeRoom,
        password_hash: Option<Option<String>>,
        limits: &Limits,
        is_admin: bool,
    ) -> Result<Self, Refusal> {
        let policy = request.policy.unwrap_or_default();
        if policy.slow_mode_seconds.is_some_and(|seconds| seconds > MAX_SLOW_MODE) {
            return Err(Refusal::bad_request(format!("policy.slowModeSeconds: 0 to {MAX_SLOW_MODE} are allowed.")));
        }
        if policy.loudest.is_some_and(|loudest| loudest > MAX_LOUDEST) {
            return Err(Refusal::bad_request(format!("policy.loudest: 0 to {MAX_LOUDEST} are allowed; 0 means all.")));
        }
        Ok(Self {
            name: request.name.map(|name| line("name", &name, 1..=MAX_NAME)).transpose()?,
            topic: request.topic.map(|topic| line("topic", &topic, 0..=MAX_TOPIC)).transpose()?,
            language: request.language.map(language).transpose()?,
            capacity: request.capacity.map(|seats| capacity(seats, limits, is_admin)).transpose()?,
            visibility: request.visibility,
            password_hash,
            locked: request.locked,
            policy,
        })
    }
}

/// A text on one line.
fn line(field: &str, typed: &str, allowed: std::ops::RangeInclusive<usize>) -> Result<String, Refusal> {
    let text = text(field, typed, allowed)?;
    if text.contains(['\n', '\t']) {
        return Err(Refusal::bad_request(format!("{field}: control characters are not allowed.")));
    }
    Ok(text)
}

/// A language tag as far as its form tells (RFC 5646 §2.1).
fn language(tag: String) -> Result<String, Refusal> {
    let is_part = |part: &str| (1..=8).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_alphanumeric());
    let is_first = tag.split('-').next().is_some_and(|first| first.bytes().all(|b| b.is_ascii_alphabetic()));
    if tag.is_empty() || (tag.len() <= MAX_LANGUAGE && is_first && tag.len() >= 2 && tag.split('-').all(is_part)) {
        return Ok(tag);
    }
    Err(Refusal::bad_request("language: a language tag is allowed, such as en or pt-BR, or nothing."))
}

fn capacity(seats: u32, limits: &Limits, is_admin: bool) -> Result<u32, Refusal> {
    let most = if is_admin { MAX_CAPACITY } else { limits.room_capacity };
    if (1..=most).contains(&seats) {
        return Ok(seats);
    }
    if (1..=MAX_CAPACITY).contains(&seats) {
        let sentence = format!("Only an administrator can have a room with more than {most} seats.");
        return Err(Refusal::new(Code::Forbidden, sentence));
    }
    Err(Refusal::bad_request(format!("capacity: 1 to {most} seats are allowed.")))
}

/// An id for a new room: its name as far as that goes, and what nobody guesses where it is not to be found.
pub(super) fn new_id(name: &str, visibility: Visibility) -> String {
    const ALPHABET: &[u8; 32] = b"abcdefghijkmnopqrstuvwxyz2345678";
    const MAX_SLUG: usize = 40;
    let mut slug = String::new();
    for c in name.chars().flat_map(char::to_lowercase) {
        if slug.len() >= MAX_SLUG {
            break;
        }
        if c.is_ascii_alphanumeric() {
            slug.push(c);
        } else if !slug.is_empty() && !slug.ends_with('-') {
            slug.push('-');
        }
    }
    let slug = slug.trim_end_matches('-');
    let slug = if slug.is_empty() { "room" } else { slug };
    // 80 bits where only who was told is to come, 30 where the list shows it.
    let letters = if visibility == Visibility::Public { 6 } else { 16 };
    let random: [u8; 16] = rand::random();
    let tail = random[..letters].iter().map(|byte| char::from(ALPHABET[usize::from(byte % 32)]));
    format!("{slug}-{}", tail.collect::<String>())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;
    use crate::room::is_room_id;

    #[test]
    fn ids_come_of_names_and_cannot_be_guessed_where_they_are_not_listed() {
        for (name, start) in [
            ("Quiet Library", "quiet-library-"),
            ("  Äpfel & Birnen!! ", "pfel-birnen-"),
            ("日本語", "room-"),
            ("---", "room-"),
            (&"x".repeat(80), &format!("{}-", "x".repeat(40))),
        ] {
            for (visibility, letters) in
                [(Visibility::Public, 6), (Visibility::Unlisted, 16), (Visibility::Private, 16)]
            {
                let id = new_id(name, visibility);
                assert!(id.starts_with(start) && is_room_id(&id), "{id}");
                assert_eq!(id.len() - start.len(), letters);
            }
        }
    }

    #[test]
    fn languages_are_told_by_their_form() {
        for tag in ["", "en", "pt-BR", "zh-Hant-TW", "de-1996"] {
            assert_eq!(language(tag.into()).as_deref(), Ok(tag));
        }
        for tag in ["e", "en_GB", "12", "-", "en-", "en-toolongsubtag", "español", &"a-".repeat(30)] {
            assert!(language(tag.into()).is_err(), "{tag}");
        }
    }

    #[test]
    fn more_seats_than_configured_are_for_administrators() {
        let limits = Config::default().limits;
        assert_eq!(capacity(50, &limits, false), Ok(50));
        assert_eq!(capacity(51, &limits, false).unwrap_err().code, Code::Forbidden);
        assert_eq!(capacity(51, &limits, true), Ok(51));
        for seats in [0, MAX_CAPACITY + 1] {
            assert_eq!(capacity(seats, &limits, true).unwrap_err().code, Code::BadRequest);
        }
    }

    #[test]
    fn what_is_left_out_stays() {
        let limits = Config::default().limits;
        let mut about = About::named("Library");
        let before = format!("{about:?}");
        about.apply(Change::of_update(UpdateRoom::default(), &limits, false).unwrap());
        assert_eq!(format!("{about:?}"), before);
        let policy = PolicyChange { waiting_room: Some(true), ..PolicyChange::default() };
        let request = UpdateRoom { topic: Some("Thesis".into()), policy: Some(policy), ..UpdateRoom::default() };
        about.apply(Change::of_update(request, &limits, false).unwrap());
        assert_eq!((about.name.as_str(), about.topic.as_str()), ("Library", "Thesis"));
        assert!(about.policy.waiting_room && about.policy.guests);
        for request in [
            UpdateRoom { name: Some("two\nlines".into()), ..UpdateRoom::default() },
            UpdateRoom { name: Some(" ".into()), ..UpdateRoom::default() },
            UpdateRoom { topic: Some("x".repeat(201)), ..UpdateRoom::default() },
        ] {
            assert_eq!(Change::of_update(request, &limits, true).unwrap_err().code, Code::BadRequest);
        }
    }
}
