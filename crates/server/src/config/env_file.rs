//! Reads a `.env` file: `NAME=value` lines, quotes, comments, `export`. No expansion of `$NAME`.

use std::collections::HashMap;

/// The values by name, and the numbers of the lines that say nothing.
pub(super) fn parse(text: &str) -> (HashMap<String, String>, Vec<usize>) {
    let mut values = HashMap::new();
    let mut unread = Vec::new();
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    for (index, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        match assignment(line) {
            Some((name, value)) => {
                values.insert(name.to_owned(), value);
            }
            None => unread.push(index + 1),
        }
    }
    (values, unread)
}

fn assignment(line: &str) -> Option<(&str, String)> {
    let line = line.strip_prefix("export ").unwrap_or(line);
    let (name, value) = line.split_once('=')?;
    let name = name.trim();
    let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '.' || c == '-';
    if name.is_empty() || !name.chars().all(is_name) {
        return None;
    }
    Some((name, value_of(value.trim())?))
}

fn value_of(text: &str) -> Option<String> {
    let Some(quote) = text.chars().next().filter(|c| matches!(c, '"' | '\'')) else {
        // A comment begins at a # after white space; one inside a word belongs to it.
        let end =
            text.char_indices().find(|&(at, c)| c == '#' && (at == 0 || text[..at].ends_with(char::is_whitespace)));
        return Some(end.map_or(text, |(at, _)| &text[..at]).trim_end().to_owned());
    };
    let mut value = String::new();
    let mut rest = text[1..].chars();
    while let Some(c) = rest.next() {
        match c {
            c if c == quote => {
                let after = rest.as_str().trim_start();
                return (after.is_empty() || after.starts_with('#')).then_some(value);
            }
            '\\' if quote == '"' => match rest.next()? {
                'n' => value.push('\n'),
                't' => value.push('\t'),
                other => value.push(other),
            },
            c => value.push(c),
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::parse;

    #[test]
    fn values_are_read_as_written() {
        let cases = [
            ("A=b", "b"),
            ("A = b ", "b"),
            ("export A=b", "b"),
            ("A=\"127.0.0.1\"", "127.0.0.1"),
            ("A='it # is' # comment", "it # is"),
            ("A=b # comment", "b"),
            ("A=b#c", "b#c"),
            ("A=", ""),
            ("A=\"a\\\"b\\\\c\\nd\"", "a\"b\\c\nd"),
            ("A='a\\n'", "a\\n"),
            ("A=one=two", "one=two"),
        ];
        for (line, expected) in cases {
            let (values, unread) = parse(line);
            assert_eq!(values.get("A").map(String::as_str), Some(expected), "{line}");
            assert_eq!(unread, [] as [usize; 0], "{line}");
        }
    }

    #[test]
    fn comments_and_empty_lines_say_nothing() {
        let (values, unread) = parse("\u{feff}# A=1\n\n  \n  # B=2\r\nC=3\r\n");
        assert_eq!(values.len(), 1);
        assert_eq!(values["C"], "3");
        assert_eq!(unread, [] as [usize; 0]);
    }

    #[test]
    fn lines_that_cannot_be_read_are_numbered() {
        let (values, unread) = parse("A=1\nnonsense\nB C=2\nD=\"open\nE='a' b\n=x");
        assert_eq!(values.len(), 1);
        assert_eq!(unread, [2, 3, 4, 5, 6]);
    }

    #[test]
    fn the_last_line_of_a_name_wins() {
        assert_eq!(parse("A=1\nA=2").0["A"], "2");
    }
}
