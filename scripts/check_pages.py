"""Opens the pages of studies in Chromium: no error, no network, no sideways scrolling, readable in light and dark.

    python scripts/check_pages.py PROGRAM [SCREENSHOTS]

PROGRAM draws them from testdata/records; SCREENSHOTS is a folder for pictures of what was seen, for people. Needs
Selenium, Chromium and its driver.
"""

import base64
import json
import pathlib
import subprocess
import sys
import tempfile
import tomllib

from selenium import webdriver
from selenium.webdriver.chrome.options import Options
from selenium.webdriver.chrome.service import Service

RECORDS = pathlib.Path(__file__).parent.parent / "testdata" / "records" / "1"
STUDIES = tomllib.loads((RECORDS / "commands.toml").read_text())
PHONE, DESK = 375, 1280
# Of a screenshot.
MOST_HEIGHT = 6000
# Of text on its background, for people with weak sight (WCAG AAA).
LEAST_CONTRAST = 7.0

# The contrast of an element's text with the page.
CONTRAST = """
const light = (name) => {
    const of = (part) => part <= 0.03928 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
    const [red, green, blue] = name.match(/[0-9.]+/g).map((part) => of(part / 255));
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
};
const style = getComputedStyle(document.body);
const [one, other] = [light(style.color), light(style.backgroundColor)];
return [(Math.max(one, other) + 0.05) / (Math.min(one, other) + 0.05), one > other];
"""

# What happens by keyboard in each picture: from the first place to the second, and away.
KEYBOARD = """
const tip = document.getElementById("tip");
if (!tip) return ["has no box for values"];
const problems = [];
for (const picture of document.querySelectorAll("figure svg")) {
    const spots = [...picture.querySelectorAll(".spot")];
    const of = picture.parentElement.parentElement.id;
    if (spots.filter((spot) => spot.tabIndex === 0).length !== 1) problems.push(`${of}: not one stop`);
    spots[0].focus();
    if (tip.hidden || tip.textContent !== spots[0].getAttribute("aria-label")) problems.push(`${of}: nothing is shown`);
    const box = tip.getBoundingClientRect();
    if (box.left < 0 || box.right > innerWidth) problems.push(`${of}: shown outside of the window`);
    spots[0].dispatchEvent(new KeyboardEvent("keydown", { key: "ArrowRight", bubbles: true }));
    if (spots.length > 1 && document.activeElement !== spots[1]) problems.push(`${of}: the arrow key leads nowhere`);
    document.activeElement.blur();
    if (!tip.hidden) problems.push(`${of}: still shown`);
}
return problems;
"""


def draw(program, folder):
    """The pages of all studies, by name."""
    pages = {}
    for study, command in STUDIES.items():
        out = folder / study
        subprocess.run(
            [program, command, "--from", RECORDS / study, "--out", out, "--quiet"],
            check=True,
            capture_output=True,
        )
        pages[study] = out / "index.html"
    out = folder / "budget"
    budget = [
        "budget",
        "--arch",
        "resnet18:8",
        "--density",
        "10%",
        "--out",
        out,
        "--quiet",
    ]
    subprocess.run([program, *budget], check=True, capture_output=True)
    pages["budget"] = out / "index.html"
    return pages


def browser(profile):
    options = Options()
    for argument in [
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--no-first-run",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
        "--disable-dev-shm-usage",
        f"--user-data-dir={profile}",
    ]:
        options.add_argument(argument)
    options.binary_location = "/usr/bin/chromium"
    options.set_capability(
        "goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"}
    )
    return webdriver.Chrome(options=options, service=Service("/usr/bin/chromedriver"))


def requests(driver, page):
    """What the page asked for since the last call, but for itself."""
    found = []
    for entry in driver.get_log("performance"):
        message = json.loads(entry["message"])["message"]
        # The browser's own first tab asks for much.
        if (
            message["method"] == "Network.requestWillBeSent"
            and message["params"]["documentURL"] == page
        ):
            found.append(message["params"]["request"]["url"])
    assert page in found, "the log of the browser has its requests"
    return [url for url in found if url != page]


def check(driver, name, path, width, scheme, screenshots):
    metrics = {
        "width": width,
        "height": 800,
        "deviceScaleFactor": 1,
        "mobile": width == PHONE,
    }
    driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    media = {"features": [{"name": "prefers-color-scheme", "value": scheme}]}
    driver.execute_cdp_cmd("Emulation.setEmulatedMedia", media)
    page = path.as_uri()
    driver.get(page)
    problems = [f"says {entry['message']}" for entry in driver.get_log("browser")]
    problems += [f"asks for {url}" for url in requests(driver, page)]
    wide = driver.execute_script("return document.documentElement.scrollWidth")
    if wide > width:
        problems.append(f"is {wide} pixels wide")
    contrast, is_dark = driver.execute_script(CONTRAST)
    if contrast < LEAST_CONTRAST or is_dark != (scheme == "dark"):
        problems.append(f"has a contrast of {contrast:.1f}, light on dark: {is_dark}")
    if screenshots:
        height = driver.execute_script("return document.documentElement.scrollHeight")
        clip = {
            "x": 0,
            "y": 0,
            "width": width,
            "height": min(height, MOST_HEIGHT),
            "scale": 1,
        }
        shot = driver.execute_cdp_cmd(
            "Page.captureScreenshot", {"captureBeyondViewport": True, "clip": clip}
        )
        (screenshots / f"{name}-{width}-{scheme}.png").write_bytes(
            base64.b64decode(shot["data"])
        )
    problems += driver.execute_script(KEYBOARD)
    return [f"{name}, {width} pixels, {scheme}: {problem}" for problem in problems]


def main():
    program = pathlib.Path(sys.argv[1]).resolve()
    screenshots = pathlib.Path(sys.argv[2]) if len(sys.argv) > 2 else None
    if screenshots:
        screenshots.mkdir(parents=True, exist_ok=True)
    problems, count = [], 0
    with tempfile.TemporaryDirectory() as folder:
        pages = draw(program, pathlib.Path(folder))
        driver = browser(pathlib.Path(folder) / "profile")
        try:
            for name, path in pages.items():
                for width in [PHONE, DESK]:
                    for scheme in ["light", "dark"]:
                        problems += check(
                            driver, name, path, width, scheme, screenshots
                        )
                        count += 1
        finally:
            driver.quit()
    print("\n".join(problems))
    if problems:
        sys.exit(f"{len(problems)} problems in {count} views of {len(pages)} pages")
    print(
        f"{len(pages)} pages, {count} views: no error, no request, no sideways scrolling"
    )


if __name__ == "__main__":
    main()
