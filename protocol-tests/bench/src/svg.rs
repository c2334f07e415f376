//! What the plots have in common: a page with a white ground of its own, so that it can be read on dark pages, too, and
//! at its foot what there is to know about the measuring.

/// A page around what is drawn, which ends where the foot begins.
pub fn page(width: usize, end: usize, drawn: &str, foot: &[String]) -> String {
    let mut text = String::new();
    let mut y = end;
    for line in foot.iter().flat_map(|line| wrapped(line, width / LETTER)) {
        text.push_str(&format!(
            "<text x=\"{MARGIN}\" y=\"{y}\" font-size=\"11\" fill=\"{GREY}\">{}</text>\n",
            escaped(&line)
        ));
        y += 15;
    }
    let height = y + MARGIN / 2;
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" viewBox=\"0 0 {width} {height}\" font-family=\"sans-serif\" font-size=\"13\" fill=\"{INK}\">\n\
         <rect x=\"0.5\" y=\"0.5\" width=\"{}\" height=\"{}\" rx=\"8\" fill=\"#ffffff\" stroke=\"#d0d7de\"/>\n{drawn}{text}</svg>\n",
        width - 1,
        height - 1,
    )
}

/// A text as it may stand in a document.
pub fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}

/// The text in lines of at most so many letters, if its words are not longer.
fn wrapped(text: &str, letters: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split(' ') {
        let line = lines.last().map_or(0, |line| line.chars().count());
        if line > 0 && line + 1 + word.chars().count() > letters {
            lines.push(String::new());
        }
        if let Some(line) = lines.last_mut() {
            if !line.is_empty() {
                line.push(' ');
            }
            line.push_str(word);
        }
    }
    lines
}

/// What is left free around each panel.
pub const MARGIN: usize = 24;
pub const INK: &str = "#1f2328";
pub const GREY: &str = "#59636e";
pub const OURS: &str = "#2f81f7";
pub const PEER: &str = "#afb8c1";
/// The width of a letter of the foot, at most.
const LETTER: usize = 7;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_broken_between_words() {
        assert_eq!(wrapped("one two three", 7), ["one two", "three"]);
        assert_eq!(wrapped("abcdefgh i", 3), ["abcdefgh", "i"]);
    }

    #[test]
    fn the_foot_is_below_what_is_drawn_and_cannot_break_out() {
        let page = page(100, 50, "<g/>\n", &["<a>".to_owned(), "b".to_owned()]);
        assert!(
            page.contains("y=\"50\"") && page.contains("y=\"65\""),
            "{page}"
        );
        assert!(
            page.contains("&lt;a&gt;") && page.contains("height=\"92\""),
            "{page}"
        );
    }
}
