//! What makes a seat outlive its connection: whose it is, which connection holds it, the token to come back with, and
//! what it was told.

use super::event_log::EventLog;

/// Random bytes of a token.
const TOKEN_BYTES: usize = 32;

/// Of one seat.
pub(super) struct Kept {
    /// The person who sits there.
    person: String,
    /// Connections that held it, the present or last one included.
    connection: u64,
    is_held: bool,
    /// Whether the participant has heard the room once.
    pub(super) has_entered: bool,
    tokens: Tokens,
    pub(super) log: EventLog,
    /// What the connection that takes it again has seen.
    pub(super) last_seq: u64,
}

/// The newest token, and the one before for as long as nobody knows whether the newest has come through.
#[derive(Default)]
struct Tokens {
    newest: Option<Token>,
    before: Option<Token>,
}

/// A secret that brings its owner back to a seat.
struct Token([u8; TOKEN_BYTES]);

impl Token {
    fn random() -> Self {
        Self(rand::random())
    }

    /// As it travels.
    fn text(&self) -> String {
        self.0.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// In the same time wherever the first difference is.
    fn is(&self, text: &str) -> bool {
        let own = self.text();
        own.len() == text.len() && own.bytes().zip(text.bytes()).fold(0, |found, (a, b)| found | (a ^ b)) == 0
    }
}

impl Kept {
    /// A seat that its first connection holds.
    pub(super) fn new(person: String) -> Self {
        Self {
            person,
            connection: 1,
            is_held: true,
            has_entered: false,
            tokens: Tokens::default(),
            log: EventLog::default(),
            last_seq: 0,
        }
    }

    /// The connection that holds it, or held it last.
    pub(super) fn connection(&self) -> u64 {
        self.connection
    }

    /// Whether this connection holds it.
    pub(super) fn is_held_by(&self, connection: u64) -> bool {
        self.is_held && self.connection == connection
    }

    /// Whether nobody took it again after this connection.
    pub(super) fn is_left_by(&self, connection: u64) -> bool {
        !self.is_held && self.connection == connection
    }

    /// The connection is gone.
    pub(super) fn let_go(&mut self) {
        self.is_held = false;
    }

    /// Whether this person may come back with this token.
    pub(super) fn opens_with(&self, person: &str, token: &str) -> bool {
        let [newest, before] =
            [&self.tokens.newest, &self.tokens.before].map(|known| known.as_ref().is_some_and(|known| known.is(token)));
        (newest | before) && self.person == person
    }

    /// Another connection holds it from now on: one that came with this token, after this event. The token is good
    /// until the client shows that the new one came through: the network that broke once may break again before.
    pub(super) fn take_again(&mut self, token: &str, last_seq: u64) -> u64 {
        let known = [self.tokens.newest.take(), self.tokens.before.take()];
        self.tokens.before = known.into_iter().flatten().find(|known| known.is(token));
        self.connection += 1;
        self.is_held = true;
        self.last_seq = last_seq;
        self.connection
    }

    /// A new token for the connection that holds it.
    pub(super) fn renew_token(&mut self) -> String {
        let token = Token::random();
        let text = token.text();
        self.tokens.newest = Some(token);
        text
    }

    /// The client has the newest token; all others are dead.
    pub(super) fn confirm_token(&mut self) {
        self.tokens.before = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_has_256_bits_and_is_of_its_person_alone() {
        let mut kept = Kept::new("g:1".into());
        assert!(!kept.opens_with("g:1", ""));
        let token = kept.renew_token();
        assert_eq!(token.len(), 64);
        assert!(kept.opens_with("g:1", &token));
        assert!(!kept.opens_with("g:2", &token));
        for wrong in ["", "x", &token[1..], &format!("{token}0"), &"0".repeat(64)] {
            assert!(!kept.opens_with("g:1", wrong), "{wrong}");
        }
    }

    #[test]
    fn a_token_is_dead_once_the_next_one_was_seen() {
        let mut kept = Kept::new("g:1".into());
        let first = kept.renew_token();
        kept.take_again(&first, 0);
        let second = kept.renew_token();
        assert!(kept.opens_with("g:1", &first) && kept.opens_with("g:1", &second));
        kept.confirm_token();
        assert!(!kept.opens_with("g:1", &first) && kept.opens_with("g:1", &second));
    }

    #[test]
    fn the_token_that_was_used_stays_good_however_often_an_answer_is_lost() {
        let mut kept = Kept::new("g:1".into());
        let known = kept.renew_token();
        kept.take_again(&known, 0);
        let lost = kept.renew_token();
        kept.take_again(&known, 0);
        let seen = kept.renew_token();
        assert!(!kept.opens_with("g:1", &lost));
        kept.take_again(&seen, 0);
        let newest = kept.renew_token();
        assert!(kept.opens_with("g:1", &seen) && kept.opens_with("g:1", &newest));
        assert!(!kept.opens_with("g:1", &known));
    }

    #[test]
    fn only_the_newest_connection_holds_a_seat() {
        let mut kept = Kept::new("g:1".into());
        let second = kept.take_again("", 7);
        assert!(!kept.is_held_by(1) && kept.is_held_by(second));
        kept.let_go();
        assert!(!kept.is_left_by(1) && kept.is_left_by(second));
    }
}
