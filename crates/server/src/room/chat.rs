//! What was said in a room lately.

use std::collections::VecDeque;

use crate::signal::messages::Message;

/// What a newcomer is shown.
pub(super) const RECENT: usize = 50;

/// The last messages of a room, oldest first.
#[derive(Clone, Debug, Default)]
pub(super) struct Chat {
    recent: VecDeque<Message>,
}

impl Chat {
    /// With what was said before.
    pub(super) fn new(messages: Vec<Message>) -> Self {
        let mut chat = Self::default();
        messages.into_iter().for_each(|message| chat.add(message));
        chat
    }

    pub(super) fn add(&mut self, message: Message) {
        if self.recent.len() == RECENT {
            self.recent.pop_front();
        }
        self.recent.push_back(message);
    }

    pub(super) fn clear(&mut self) {
        self.recent.clear();
    }

    /// When the last one was said; 0: none was.
    pub(super) fn last_at_ms(&self) -> u64 {
        self.recent.back().map_or(0, |message| message.sent_at_ms)
    }

    /// All of them.
    pub(super) fn recent(&self) -> Vec<Message> {
        self.recent.iter().cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::signal::messages::MessageType;

    #[test]
    fn the_last_fifty_are_kept() {
        let message = |number: u64| Message {
            id: number.to_string(),
            participant_id: "p".into(),
            display_name: "Ada".into(),
            content: "x".into(),
            message_type: MessageType::Text,
            sent_at_ms: number,
        };
        let mut chat = Chat::new((0..60).map(message).collect());
        let recent = chat.recent();
        assert_eq!((recent.len(), recent[0].sent_at_ms, recent[49].sent_at_ms), (RECENT, 10, 59));
        chat.clear();
        assert!(chat.recent().is_empty());
    }
}
