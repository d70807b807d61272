//! What people write: checked, kept as typed.

use unicode_normalization::UnicodeNormalization;

use crate::error::Refusal;

/// An emoji is a handful of characters at most: a family of four with skin tones, a flag of a region.
const MAX_EMOJI_CHARS: usize = 16;

/// A text as it is kept, in Unicode's normalization form C; line breaks are allowed.
///
/// # Errors
/// When it is shorter or longer than allowed, or has characters that cannot be seen and change what is around them.
pub(crate) fn text(field: &str, typed: &str, allowed: std::ops::RangeInclusive<usize>) -> Result<String, Refusal> {
    let (least, most) = (*allowed.start(), *allowed.end());
    let wrong_length = || Refusal::bad_request(format!("{field}: {least} to {most} characters are allowed."));
    // Normalizing can make a text three times as long at most; far longer ones need not be looked at.
    if typed.len() > most * 32 {
        return Err(wrong_length());
    }
    let text: String = typed.nfc().collect();
    if text.chars().any(|c| (c.is_control() && !matches!(c, '\n' | '\t')) || is_disruptive(c)) {
        return Err(Refusal::bad_request(format!("{field}: control characters are not allowed.")));
    }
    let text = text.trim().to_owned();
    if allowed.contains(&text.chars().count()) { Ok(text) } else { Err(wrong_length()) }
}

/// One emoji.
///
/// # Errors
/// When it is something else.
pub(crate) fn emoji(field: &str, typed: &str) -> Result<String, Refusal> {
    let is_part = |c: char| {
        matches!(c as u32, 0x23 | 0x2a | 0x30..=0x39 | 0xa9 | 0xae | 0x200d | 0x203c..=0x3299 | 0xfe0f | 0x1f000..=0x1faff
            | 0xe0020..=0xe007f)
    };
    let is_picture = |c: char| matches!(c as u32, 0xa9 | 0xae | 0x203c..=0x3299 | 0x1f000..=0x1faff);
    let count = typed.chars().count();
    if (1..=MAX_EMOJI_CHARS).contains(&count) && typed.chars().all(is_part) && typed.chars().any(is_picture) {
        return Ok(typed.to_owned());
    }
    Err(Refusal::bad_request(format!("{field}: one emoji is allowed.")))
}

/// What turns the direction of all that follows.
fn is_disruptive(c: char) -> bool {
    matches!(c, '\u{2028}' | '\u{2029}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_kept_as_typed() {
        for typed in ["don't", "O'Brien", "<b>x</b>", "مرحبا بالعالم", "two\nlines", "👩‍👩‍👧", "a  b"]
        {
            assert_eq!(text("content", typed, 1..=1_000).as_deref(), Ok(typed));
        }
        assert_eq!(text("content", "  Zoe\u{308} ", 1..=50).as_deref(), Ok("Zo\u{eb}"));
    }

    #[test]
    fn texts_that_cannot_be_shown_are_refused() {
        let (long, huge) = ("a".repeat(1_001), "a".repeat(100_000));
        for typed in ["", "  ", "\n", "a\u{0}", "\u{202e}x", "a\u{7f}", &long, &huge] {
            let refusal = text("content", typed, 1..=1_000).unwrap_err();
            assert!(refusal.sentence.starts_with("content: "), "{typed:?}");
        }
        assert_eq!(text("text", "", 0..=200).as_deref(), Ok(""));
    }

    #[test]
    fn an_emoji_is_one_picture() {
        for typed in ["👍", "❤️", "👩‍👩‍👧‍👦", "🏴󠁧󠁢󠁳󠁣󠁴󠁿", "1️⃣", "🇩🇪", "👋🏽"]
        {
            assert_eq!(emoji("emoji", typed).as_deref(), Ok(typed));
        }
        for typed in ["", "a", "ok", "<", "1", " 👍", &"👍".repeat(17)] {
            assert!(emoji("emoji", typed).is_err(), "{typed:?}");
        }
    }
}
