//! A page as one HTML file that needs no other and no network: pictures inline with their values to point at, tables,
//! settings; light and dark, and narrow enough for a phone.

use super::page::{Drawing, Page};
use super::picture::{Picture, Spot};
use crate::error::Result;

/// The file of a page for a browser.
pub const INDEX: &str = "index.html";

const STYLE: &str = include_str!("page.css");
const SCRIPT: &str = include_str!("page.js");

impl Page {
    /// The page for a browser, whole in one file.
    ///
    /// # Errors
    /// Where a picture cannot be drawn.
    pub fn html(&self) -> Result<String> {
        let mut blocks = blocks(&self.text);
        let title = match blocks.first() {
            Some(Block::Heading(1, title)) => {
                let title = title.clone();
                blocks.remove(0);
                title
            }
            _ => self.title.clone(),
        };
        let lead = match self.lead.is_empty() {
            false => self.lead.clone(),
            true => take_paragraph(&mut blocks),
        };
        let (title, lead) = (escaped(&title), escaped(&lead));
        let remarks: String =
            self.remarks.iter().map(|remark| format!("<p class=\"remark\">{}</p>\n", escaped(remark))).collect();
        let pictures: Vec<String> =
            self.pictures.iter().map(|(name, drawing)| figure(name, drawing)).collect::<Result<_>>()?;
        let pictures = match pictures.is_empty() {
            true => String::new(),
            false => format!("<section aria-label=\"Pictures\">\n{HOW_TO_READ}{}</section>\n", pictures.concat()),
        };
        let settings = match self.settings.is_empty() {
            true => String::new(),
            false => {
                format!("<details>\n<summary>Settings</summary>\n{}</details>\n", html(&self::blocks(&self.settings)))
            }
        };
        let text = html(&blocks);
        Ok(format!(
            "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
             <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
             <meta name=\"color-scheme\" content=\"light dark\">\n\
             <meta http-equiv=\"Content-Security-Policy\" \
             content=\"default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'\">\n\
             <title>{title}</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n\
             <header>\n<h1>{title}</h1>\n<p class=\"lead\">{lead}</p>\n{remarks}</header>\n\
             <main>\n{pictures}<section aria-label=\"Results\">\n{text}</section>\n{settings}</main>\n\
             <footer>Drawn by sparsewidth {}</footer>\n<script>\n{SCRIPT}</script>\n</body>\n</html>\n",
            env!("CARGO_PKG_VERSION")
        ))
    }
}

/// How the values of pictures are read.
const HOW_TO_READ: &str = "<p class=\"hint\">Point at a picture or tap it for its values; Tab and the arrow keys go \
                           through them.</p>\n";

/// A picture, with its title as text and its values where they can be pointed at.
fn figure(name: &str, drawing: &Drawing) -> Result<String> {
    let mut drawing = drawing.clone();
    let title = escaped(&std::mem::take(drawing.title_mut()));
    let (svg, spots) = drawing.svg_with_spots()?;
    let (width, height) = drawing.size();
    // Within a page it needs no name space.
    let inside = svg.split_once('>').and_then(|(_, rest)| rest.rsplit_once("</svg>"));
    let (inside, _) = inside.expect("a drawn SVG is one element");
    let spots: String = spots.iter().map(spot).collect();
    Ok(format!(
        "<figure id=\"{}\">\n<figcaption>{title}</figcaption>\n<div class=\"scroll\">\n\
         <svg width=\"{width}\" height=\"{height}\" viewBox=\"0 0 {width} {height}\" class=\"{}\" role=\"group\" \
         aria-label=\"{title}\">\n\
         <g aria-hidden=\"true\">{inside}</g>\n{spots}</svg>\n</div>\n</figure>\n",
        escaped(name),
        drawing.kind()
    ))
}

/// Values to point at. The title is what browsers show, and screen readers say, where no script runs.
fn spot(spot: &Spot) -> String {
    let [(left, top), (right, bottom)] = spot.corners;
    format!(
        "<rect class=\"spot\" x=\"{left}\" y=\"{top}\" width=\"{}\" height=\"{}\" tabindex=\"0\" role=\"img\">\
         <title>{}</title></rect>\n",
        right - left,
        bottom - top,
        escaped(&spot.words)
    )
}

/// A part of a text in Markdown, as pages have it.
#[derive(Debug, PartialEq)]
enum Block {
    /// Its level, from 1, and its words.
    Heading(usize, String),
    Paragraph(String),
    /// Its rows; the first has the heads of the columns.
    Table(Vec<Vec<String>>),
}

/// The level of a line that is a heading.
fn level(line: &str) -> Option<usize> {
    let level = line.chars().take_while(|letter| *letter == '#').count();
    (level > 0 && line[level..].starts_with(' ')).then_some(level)
}

fn blocks(text: &str) -> Vec<Block> {
    let is_row = |line: &str| line.starts_with('|');
    let mut blocks = Vec::new();
    let mut lines = text.lines().peekable();
    while let Some(line) = lines.next() {
        if line.is_empty() {
            continue;
        }
        if let Some(level) = level(line) {
            blocks.push(Block::Heading(level, line[level..].trim().into()));
            continue;
        }
        let mut of_block = vec![line];
        let goes_on = |next: &&str| !next.is_empty() && level(next).is_none() && is_row(next) == is_row(line);
        while let Some(next) = lines.next_if(goes_on) {
            of_block.push(next);
        }
        blocks.push(match is_row(line) {
            true => {
                // The second line says how columns are aligned.
                let rows = of_block.iter().enumerate().filter(|(index, _)| *index != 1);
                Block::Table(rows.map(|(_, line)| cells(line)).collect())
            }
            false => Block::Paragraph(of_block.join("\n")),
        });
    }
    blocks
}

/// The cells of a row. A bar with a backslash before it is part of a cell.
fn cells(line: &str) -> Vec<String> {
    let mut cells = vec![String::new()];
    for letter in line.chars() {
        let cell = cells.last_mut().expect("there is always one");
        match letter {
            '|' if cell.ends_with('\\') => {
                cell.pop();
                cell.push('|');
            }
            '|' => cells.push(String::new()),
            _ => cell.push(letter),
        }
    }
    // What is before the first bar and after the last is no cell.
    let inner = 1..cells.len().max(2) - 1;
    cells[inner].iter().map(|cell| cell.trim().to_string()).collect()
}

/// Takes the first paragraph out, empty where there is none.
fn take_paragraph(blocks: &mut Vec<Block>) -> String {
    match blocks.iter().position(|block| matches!(block, Block::Paragraph(_))).map(|place| blocks.remove(place)) {
        Some(Block::Paragraph(words)) => words,
        _ => String::new(),
    }
}

fn html(blocks: &[Block]) -> String {
    let mut html = String::new();
    for (place, block) in blocks.iter().enumerate() {
        html += &match block {
            Block::Heading(level, words) => {
                let level = (*level).clamp(2, 6);
                format!("<h{level}>{}</h{level}>\n", escaped(words))
            }
            // Named by its table, below.
            Block::Paragraph(_) if caption(blocks, place + 1).is_some() => String::new(),
            Block::Paragraph(words) => format!("<p>{}</p>\n", escaped(words)),
            Block::Table(rows) => table(rows, caption(blocks, place)),
        };
    }
    html
}

/// The words that name the table at a place: those right before it, unless they are a sentence.
fn caption(blocks: &[Block], place: usize) -> Option<&str> {
    match (blocks.get(place), blocks.get(place.checked_sub(1)?)) {
        (Some(Block::Table(_)), Some(Block::Paragraph(words))) if !words.ends_with('.') => Some(words),
        _ => None,
    }
}

/// A table that scrolls within its own box where it is too wide for the page.
fn table(rows: &[Vec<String>], caption: Option<&str>) -> String {
    let heads: String = rows[0].iter().map(|head| format!("<th scope=\"col\">{}</th>", escaped(head))).collect();
    let cell = |(column, cell): (usize, &String)| match column {
        0 => format!("<th scope=\"row\">{}</th>", escaped(cell)),
        _ => format!("<td>{}</td>", escaped(cell)),
    };
    let row = |row: &Vec<String>| format!("<tr>{}</tr>\n", row.iter().enumerate().map(cell).collect::<String>());
    let body: String = rows[1..].iter().map(row).collect();
    let words = escaped(caption.unwrap_or("Table"));
    let shown = if caption.is_some() { format!("<p class=\"caption\">{words}</p>\n") } else { String::new() };
    format!(
        "{shown}<div class=\"scroll\" role=\"region\" aria-label=\"{words}\" tabindex=\"0\">\n<table>\n\
         <thead><tr>{heads}</tr></thead>\n<tbody>\n{body}</tbody>\n</table>\n</div>\n"
    )
}

/// Text that is no markup, also within quotes.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => escaped += "&amp;",
            '<' => escaped += "&lt;",
            '>' => escaped += "&gt;",
            '"' => escaped += "&quot;",
            '\'' => escaped += "&#39;",
            _ => escaped.push(letter),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn markdown() {
        let text =
            "# Title\n\nTwo lines\nof words.\n\nNumbers\n\n| a | b |\n|:--|--:|\n| x\\|y | 1 |\n## More\n#no heading\n";
        let cells = |row: [&str; 2]| row.map(String::from).to_vec();
        assert_eq!(
            blocks(text),
            [
                Block::Heading(1, "Title".into()),
                Block::Paragraph("Two lines\nof words.".into()),
                Block::Paragraph("Numbers".into()),
                Block::Table(vec![cells(["a", "b"]), cells(["x|y", "1"])]),
                Block::Heading(2, "More".into()),
                Block::Paragraph("#no heading".into()),
            ]
        );
        let html = html(&blocks(text)[2..]);
        assert!(html.starts_with("<p class=\"caption\">Numbers</p>\n<div") && html.matches("Numbers").count() == 2);
        assert!(html.contains("<tr><th scope=\"row\">x|y</th><td>1</td></tr>"), "{html}");
    }

    #[test]
    fn what_comes_from_data_is_no_markup() {
        let hostile = "</title><script>alert(\"1\")</script>'&";
        let mut page = Page { title: hostile.into(), lead: hostile.into(), ..Page::default() };
        page.text = format!("{hostile}\n\n| {hostile} |\n|:--|\n| {hostile} |\n\n## {hostile}\n");
        page.remarks.push(hostile.into());
        page.settings = page.text.clone();
        let chart = crate::report::BudgetChart { title: hostile.into(), layers: vec![(hostile.into(), 8, 4)] };
        page.pictures.push((hostile.into(), Drawing::Budget(chart)));
        let html = page.html().unwrap();
        assert_eq!(html.matches("<script>").count(), 1, "{html}");
        assert!(!html.contains("alert(\"1\")"));
        assert!(html.contains("&lt;/title&gt;&lt;script&gt;alert(&quot;1&quot;)&lt;/script&gt;&#39;&amp;"));
    }

    #[test]
    fn what_to_read_first_comes_first() {
        let text = "# Of the text\n\n| a |\n|:--|\n| 1 |\n\nThe result.\n";
        let page = Page { title: "Of the page".into(), text: text.into(), ..Page::default() };
        let html = page.html().unwrap();
        assert!(html.contains("<title>Of the text</title>") && !html.contains("Of the page"));
        assert!(html.contains("<p class=\"lead\">The result.</p>") && html.matches("The result.").count() == 1);
        let html = Page { lead: "Read this.".into(), ..page }.html().unwrap();
        assert!(html.contains("<p class=\"lead\">Read this.</p>") && html.contains("<p>The result.</p>"));
        // Nothing of what there is not.
        assert!(!html.contains("<details") && !html.contains("<figure"));
    }
}
