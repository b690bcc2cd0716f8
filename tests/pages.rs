//! The page of each study for a browser, drawn from `testdata/records`: whole, well formed, without a network, and with
//! every number of the page that is printed.

mod program;

use std::path::{Path, PathBuf};

use program::{done, read, refused, studies};

fn records(study: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/records/1").join(study)
}

/// What a command prints of a folder of records, beside what it writes.
fn redrawn(command: &str, study: &str, more: &[&str]) -> (String, tempfile::TempDir) {
    let out = tempfile::tempdir().unwrap();
    let (from, to) = (records(study), out.path().to_str().unwrap());
    let arguments = [command, "--from", from.to_str().unwrap(), "--out", to, "--quiet"];
    (done(&[&arguments, more].concat()), out)
}

fn text(folder: &Path, name: &str) -> String {
    String::from_utf8(read(folder, name)).unwrap()
}

/// Checks that every element is closed in its turn, that attributes are quoted, and that text has no markup of its own.
/// Styles and scripts are text to the end of their element.
fn check_form(html: &str) {
    const WITHOUT_END: [&str; 1] = ["meta"];
    let mut rest = html.strip_prefix("<!doctype html>").expect("a document type");
    let mut open: Vec<&str> = Vec::new();
    while let Some(start) = rest.find('<') {
        let words = &rest[..start];
        assert!(!words.contains('>'), "{words}");
        for entity in words.split('&').skip(1) {
            let name = entity.split_once(';').unwrap_or_else(|| panic!("a bare & before {entity}")).0;
            assert!(["amp", "lt", "gt", "quot", "apos", "#39"].contains(&name), "&{name};");
        }
        let (tag, after) = rest[start + 1..].split_once('>').expect("a tag ends");
        rest = after;
        if let Some(name) = tag.strip_prefix('/') {
            assert_eq!(open.pop(), Some(name), "closed in its turn");
            continue;
        }
        let (name, mut attributes) = tag.trim_end_matches('/').split_once(' ').unwrap_or((tag, ""));
        while !attributes.trim().is_empty() {
            let (_, value) = attributes.split_once("=\"").unwrap_or_else(|| panic!("{name}: {attributes}"));
            attributes = value.split_once('"').expect("a value ends").1;
        }
        if !tag.ends_with('/') && !WITHOUT_END.contains(&name) {
            open.push(name);
        }
        if ["style", "script"].contains(&name) {
            rest = &rest[rest.find(&format!("</{name}>")).expect("it ends")..];
        }
    }
    assert!(open.is_empty() && rest.trim().is_empty(), "open at the end: {open:?}, {rest}");
}

#[test]
fn the_form_is_checked() {
    check_form("<!doctype html><html><meta charset=\"utf-8\"><p>a &lt; b<rect x=\"1\"/></p></html>");
    for broken in ["<p><b></p></b>", "<p>", "</p>", "<p a=b></p>", "<p>a & b</p>", "<p>1 > 0</p>", "<br>", "words"] {
        let checked = std::panic::catch_unwind(|| check_form(&format!("<!doctype html>{broken}")));
        assert!(checked.is_err(), "{broken}");
    }
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;").replace('\'', "&#39;")
}

#[test]
fn pages_hold_all_that_a_study_comes_to() {
    for (study, command) in studies() {
        let (page, out) = redrawn(&command, &study, &[]);
        let html = text(out.path(), "index.html");
        check_form(&html);
        // Nothing is fetched, neither by markup nor by styles.
        for word in ["://", "url(", "@import", " src=", " href=", "fetch(", "import("] {
            assert!(!html.contains(word), "{study}: {word}");
        }
        for line in page.lines().filter(|line| line.starts_with('|') && !line.starts_with("|:")) {
            for cell in line.trim_matches('|').split(" | ").map(str::trim) {
                assert!(html.contains(&format!(">{}</t", escaped(cell))), "{study}: no {cell:?} of {line}");
            }
        }
        for line in page.lines().filter(|line| !line.is_empty() && !line.starts_with('|')) {
            assert!(html.contains(&escaped(line.trim_start_matches('#').trim())), "{study}: no {line:?}");
        }
        let pictures = std::fs::read_dir(&out).unwrap().map(|file| file.unwrap().file_name().into_string().unwrap());
        let pictures: Vec<String> = pictures.filter_map(|name| Some(name.strip_suffix(".svg")?.to_string())).collect();
        assert_eq!(html.matches("<svg").count(), pictures.len(), "{study}");
        for name in pictures {
            let figure =
                html.split_once(&format!("<figure id=\"{name}\">")).unwrap_or_else(|| panic!("{study}: {name}"));
            let figure = figure.1.split_once("</figure>").unwrap().0;
            assert!(figure.contains("<rect class=\"spot\"") && !figure.contains("<title></title>"), "{study}: {name}");
        }
        let settings = html.split_once("<summary>Settings</summary>").unwrap_or_else(|| panic!("{study}: settings")).1;
        assert!(settings.contains("<th scope=\"row\">seed</th>"), "{study}");
        assert!(settings.contains("mnist") || settings.contains("gaussian:"), "{study}");
    }
}

#[test]
fn values_can_be_pointed_at() {
    let (_, out) = redrawn("train", "train", &[]);
    let html = text(out.path(), "index.html");
    // Two runs of width 8 and 32: their means and intervals, and the losses of both epochs.
    assert!(html.contains("<title>width: 8\ndense, every weight: 0.1436 ["), "{html}");
    assert!(html.contains("<title>epoch: 2\ndense 8, test: "), "{html}");
    let (_, out) = redrawn("heatmap", "heatmap", &[]);
    assert!(text(out.path(), "index.html").contains("<title>28.13\noverall connectivity, and width: 1.00, 5\n"));
}

#[test]
fn settings_are_those_of_the_records() {
    let (_, out) = redrawn("predict", "predict", &[]);
    let html = text(out.path(), "index.html");
    let settings = html.split_once("<summary>Settings</summary>").unwrap().1;
    let heads = ["setting", "distance", "training", "prediction"].map(|head| format!("<th scope=\"col\">{head}</th>"));
    assert!(settings.contains(&heads.concat()));
    let row = settings.split_once("<th scope=\"row\">epochs</th>").unwrap().1.split_once("</tr>").unwrap().0;
    // Only the trained networks have epochs.
    assert!(
        row.starts_with("<td></td><td>") && row.ends_with("</td><td></td>") && row != "<td></td><td></td><td></td>"
    );
    // What distances call samples are drawn networks: Theorem 1 and Eq. (4) draw none, and have no such setting.
    let row = settings.split_once("<th scope=\"row\">samples</th>").unwrap().1;
    assert!(row.starts_with("<td></td><td>64</td><td>64</td>"), "{row}");
    let row = settings.split_once("<th scope=\"row\">pairs</th>").unwrap().1;
    assert!(row.starts_with("<td>20</td>"), "{row}");
    let (_, out) = redrawn("verify", "verify", &[]);
    let html = text(out.path(), "index.html");
    assert!(html.contains("<th scope=\"row\">initialisations</th><td>2000</td>"));
    assert!(html.contains("<th scope=\"row\">weights per row</th><td>5, 20</td>"));
    assert!(html.contains("<p class=\"lead\">Theorem 1 is not rejected"));
}

#[test]
fn a_page_can_be_left_out_and_is_nobody_elses() {
    let (_, with) = redrawn("optimum", "optimum", &[]);
    let (_, without) = redrawn("optimum", "optimum", &["--no-page"]);
    let names = |folder: &Path| {
        let files = std::fs::read_dir(folder).unwrap().map(|file| file.unwrap().file_name().into_string().unwrap());
        let mut names: Vec<String> = files.filter(|name| !name.starts_with('.')).collect();
        names.sort();
        names
    };
    assert_eq!(names(with.path()), ["index.html", "optimum.json", "optimum.png", "optimum.svg"]);
    assert_eq!(names(without.path()), ["optimum.json", "optimum.png", "optimum.svg"]);
    // Whoever wrote it, it stays; without a page it is in nobody's way.
    std::fs::write(without.path().join("index.html"), "of somebody").unwrap();
    let (from, out) = (records("optimum"), without.path().to_str().unwrap());
    let again = ["optimum", "--from", from.to_str().unwrap(), "--out", out];
    refused(&again, &["index.html", "exists already"]);
    done(&[&again[..], &["--no-page"]].concat());
    assert_eq!(read(without.path(), "index.html"), b"of somebody");
    refused(&["data", "--no-page"], &["--no-page", "this command writes no page"]);
}

/// A budget has a page too, and names of layers are no markup.
#[test]
fn budgets_have_pages() {
    let folder = tempfile::tempdir().unwrap();
    let shapes = folder.path().join("shapes.toml");
    let layers = "[[layer]]\nname = \"<b>|conv\"\nshape = [4, 3]\n[[layer]]\nname = \"last\"\nshape = [2, 4]\n";
    std::fs::write(&shapes, layers).unwrap();
    let out = folder.path().join("out");
    let (shapes, to) = (shapes.to_str().unwrap(), out.to_str().unwrap());
    let page = done(&["budget", "--arch", shapes, "--weights", "10", "--out", to, "--quiet"]);
    let html = text(&out, "index.html");
    check_form(&html);
    assert!(page.contains("<b>\\|conv") && html.contains("<th scope=\"row\">&lt;b&gt;|conv</th>"), "{page}");
    assert!(html.contains("<p class=\"lead\">Kept: 10 of 20 weights"), "{html}");
}
