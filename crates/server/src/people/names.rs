//! How somebody may be called.

use unicode_normalization::UnicodeNormalization;

use crate::error::Refusal;

/// The name as it is kept: trimmed, in Unicode's normalization form C.
///
/// # Errors
/// When it is too long, there is nothing to be seen of it, or it has characters that change what is around it.
pub(crate) fn display_name(typed: &str, longest: usize) -> Result<String, Refusal> {
    // Normalizing can make a text three times as long at most; far longer ones need not be looked at.
    let name: String = if typed.len() > longest * 32 { String::new() } else { typed.nfc().collect() };
    let name = name.trim().to_owned();
    let length = name.chars().count();
    if typed.len() > longest * 32 || length > longest || length == 0 || !name.chars().any(is_visible) {
        return Err(Refusal::bad_request(format!("displayName: 1 to {longest} characters are allowed.")));
    }
    if name.chars().any(|c| c.is_control() || is_disruptive(c)) {
        return Err(Refusal::bad_request("displayName: control characters are not allowed."));
    }
    Ok(name)
}

/// Whether there is something to see of a character by itself.
fn is_visible(c: char) -> bool {
    let is_blank = c.is_whitespace()
        || c.is_control()
        || matches!(c, '\u{ad}' | '\u{34f}' | '\u{115f}' | '\u{1160}' | '\u{180e}' | '\u{200b}'..='\u{200f}')
        || matches!(c, '\u{2060}'..='\u{2064}' | '\u{2800}' | '\u{3164}' | '\u{feff}' | '\u{ffa0}');
    !is_blank
}

/// Line breaks, and what turns the direction of the text that follows.
fn is_disruptive(c: char) -> bool {
    matches!(c, '\u{2028}' | '\u{2029}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Code;

    #[test]
    fn names_are_kept_as_typed() {
        for name in ["A", "don't", "O'Brien", "<b>Bo</b>", "مريم", "李雷", "👩‍👩‍👧", "a b"] {
            assert_eq!(display_name(name, 50).as_deref(), Ok(name));
        }
    }

    #[test]
    fn names_are_trimmed_and_normalized() {
        assert_eq!(display_name("  Zoe\u{308} ", 50).as_deref(), Ok("Zo\u{eb}"));
        // Fifty letters that were typed as two characters each.
        let typed = "e\u{301}".repeat(50);
        assert_eq!(display_name(&typed, 50).unwrap().chars().count(), 50);
    }

    #[test]
    fn names_that_cannot_be_shown_are_refused() {
        let long = "a".repeat(51);
        let huge = "a".repeat(100_000);
        let names = [
            "",
            "   ",
            "\t\n",
            "\u{200b}\u{200d}",
            "\u{3164}",
            "a\nb",
            "a\u{0}b",
            "a\u{7f}",
            "a\u{85}b",
            "\u{202e}evil",
            "a\u{2028}b",
            "a\u{2066}b",
            &long,
            &huge,
        ];
        for name in names {
            let refusal = display_name(name, 50).unwrap_err();
            assert_eq!(refusal.code, Code::BadRequest, "{name:?}");
            assert!(refusal.sentence.starts_with("displayName: "), "{name:?}");
        }
    }
}
