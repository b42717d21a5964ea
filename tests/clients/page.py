#!/usr/bin/env python3
"""The page in Debian's Chromium: `page.py FOLDER [PICTURES]`, which has januspro; screenshots go to
PICTURES. Draws, cancels, edits, keeps, asks, at the width of a desk and of a phone, light and dark; no console
error, no request but to the server, nothing wider than the window. Prints one line.
SPDX-License-Identifier: MIT
"""
import shutil
import sys
import time

from _server import Server

try:
    from axe_playwright_python.sync_playwright import Axe
    from playwright.sync_api import sync_playwright
except ImportError:
    sync_playwright = None


def wait_for(what, seconds=60):
    deadline = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.02)


def by(page, name):
    return page.locator(f'[data-testid="{name}"]')


def check_access(page, view):
    """axe-core's findings that keep people out."""
    found = [f"{rule['id']} ({rule['impact']}): {[node['html'] for node in rule['nodes']]}"
             for rule in Axe().run(page).response["violations"] if rule["impact"] in ("serious", "critical")]
    assert not found, f"{view}: {found}"


def draw(page, shot):
    by(page, "prompt").fill("a red ball")
    by(page, "count").fill("10")
    by(page, "seed").fill("7")
    # Rows as they come, noted by the page itself: they are quicker than questions from here.
    page.evaluate("""() => {
      window.rows = new Set();
      new MutationObserver((list) => list.forEach((m) => window.rows.add(m.target.dataset.rowsDone)))
        .observe(document.getElementById("pictures"), {subtree: true, attributes: true, attributeFilter: ["data-rows-done"]});
    }""")
    by(page, "draw").click()
    by(page, "prompt").fill("a blue star")
    by(page, "count").fill("2")
    by(page, "prompt").press("Control+Enter")
    pictures = by(page, "picture")
    wait_for(lambda: pictures.count() == 12)
    states = lambda: pictures.evaluate_all("all => all.map((p) => p.dataset.state)")  # noqa: E731
    wait_for(lambda: set(states()) == {"done"})
    first = pictures.first
    assert first.get_attribute("data-seed") == "7" and first.get_attribute("data-prompt") == "a red ball"
    assert first.get_attribute("data-rows-done") == first.get_attribute("data-rows")
    assert first.get_attribute("aria-label") == "a red ball"
    assert pictures.last.get_attribute("data-prompt") == "a blue star" and pictures.last.get_attribute("data-seed") == "8"
    rows = page.evaluate("() => window.rows.size")
    assert rows >= 4, f"{rows} steps were seen"
    shot("draw")
    by(page, "seed").fill("")
    by(page, "reuse-seed").nth(1).click()
    assert by(page, "seed").input_value() == "8" and by(page, "prompt").input_value() == "a red ball"
    by(page, "count").fill("10")
    for _ in range(5):
        by(page, "draw").click()
    page.keyboard.press("Escape")
    wait_for(lambda: "cancelled" in states() and not {"waiting", "drawing"} & set(states()))
    return states().count("done")


def edit(page, drawn, shot):
    """A picture that was drawn goes to the edit view, is painted on and drawn anew there."""
    page.locator("#pictures").get_by_text("Edit", exact=True).first.click()
    canvas = by(page, "mask-canvas")
    wait_for(lambda: canvas.is_visible() and by(page, "edit-prompt").input_value() == "a red ball")
    by(page, "edit").click()
    assert "Paint over" in by(page, "error").inner_text()
    painted = lambda: float(canvas.get_attribute("data-painted"))  # noqa: E731
    assert painted() == 0
    canvas.focus()
    for key in ("ArrowLeft", "Space", "ArrowRight", "Space"):
        page.keyboard.press(key)
    by_keys = painted()
    assert 0 < by_keys < 0.1, by_keys
    box = canvas.bounding_box()
    by(page, "brush").fill("50")
    page.mouse.move(box["x"] + box["width"] * 0.2, box["y"] + box["height"] * 0.2)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * 0.2, box["y"] + box["height"] * 0.8, steps=4)
    page.mouse.up()
    assert painted() > by_keys + 0.2, painted()
    shot("edit-painted")
    page.locator("#mask-clear").click()
    assert painted() == 0
    page.mouse.move(box["x"] + 2, box["y"] + box["height"] * 0.5)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * 0.3, box["y"] + box["height"] * 0.5, steps=4)
    page.mouse.up()
    by(page, "edit-prompt").fill("a blue star")
    by(page, "edit").click()
    results = by(page, "edit-picture")
    wait_for(lambda: results.evaluate_all("all => all.map((p) => p.dataset.state)") == ["done", "done"])
    assert results.first.get_attribute("data-prompt") == "a blue star"
    assert results.first.get_attribute("data-rows-done") == results.first.get_attribute("data-rows")
    same = page.evaluate("""() => {
      const [before, after] = ['[data-testid="picture"]', '[data-testid="edit-picture"]'].map((name) => {
        const canvas = document.querySelector(name);
        return canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
      });
      let left = 0, right = 0;
      for (let i = 0; i < before.data.length; ++i) {
        const differs = before.data[i] !== after.data[i];
        if ((i >> 2) % before.width < before.width * 0.3) left += differs;
        if ((i >> 2) % before.width > before.width * 0.75) right += differs;
      }
      return [left, right];
    }""")
    assert same[0] > 0 and same[1] == 0, f"differing values in what was painted and what was not: {same}"
    shot("edit")
    page.locator("#edit-how").select_option("right")
    assert page.locator("#edit-paint").is_hidden()
    by(page, "edit").click()
    wait_for(lambda: results.count() == 4 and results.last.get_attribute("data-state") == "done")
    by(page, "edit-file").set_input_files({"name": "no.png", "mimeType": "image/png", "buffer": b"no picture"})
    wait_for(lambda: "cannot show" in by(page, "error").inner_text())
    return drawn + 4


def gallery_and_ask(page, drawn, shot):
    page.reload()
    by(page, "tab-gallery").click()
    items = by(page, "gallery-item")
    wait_for(lambda: items.count() == drawn)
    shot("gallery")
    page.get_by_label("Remove", exact=False).first.click()
    wait_for(lambda: items.count() == drawn - 1)
    page.locator("#gallery").get_by_text("Ask", exact=True).last.click()
    wait_for(lambda: by(page, "thumb").count() == 1)
    answers = by(page, "answer")
    for number, question in enumerate(("What is in the picture?", "What colour is it?"), 1):
        by(page, "question").fill(question)
        by(page, "question").press("Enter")
        wait_for(lambda: answers.count() == number and answers.last.get_attribute("data-state") == "done")  # noqa: B023
        assert answers.last.inner_text().strip()
    shot("ask")


def manners(page):
    dark = page.evaluate("() => document.documentElement.dataset.theme")
    by(page, "theme").click()
    assert page.evaluate("() => document.documentElement.dataset.theme") != dark
    page.locator("#tab-ask").focus()
    page.keyboard.press("ArrowLeft")
    assert page.locator("#tab-draw").get_attribute("aria-selected") == "true"
    assert page.evaluate("() => document.documentElement.scrollWidth <= innerWidth"), "wider than the window"
    assert by(page, "error").inner_text() == ""


def visit(browser, server, width, scheme, folder, troubles):
    context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme)
    page = context.new_page()
    page.on("console", lambda m: troubles.append(m.text) if m.type == "error" else None)
    page.on("pageerror", lambda e: troubles.append(str(e)))
    page.on("request", lambda r: None if r.url.startswith((server.url, "blob:", "data:")) else troubles.append(r.url))
    page.goto(server.url)
    wait_for(lambda: page.locator("#model").text_content() not in ("", "loading…"))
    assert page.evaluate("() => document.documentElement.dataset.theme") == scheme
    check_access(page, "the page as it comes")

    def shot(name):
        check_access(page, name)
        if folder:
            page.screenshot(path=f"{folder}/{name}-{width}-{scheme}.png", full_page=name == "edit")
    drawn = draw(page, shot)
    drawn = edit(page, drawn, shot)
    gallery_and_ask(page, drawn, shot)
    manners(page)
    context.close()


def key_is_asked_for(browser, programs):
    with Server(programs, "--api-key", "secret-1") as locked:
        page = browser.new_page()
        page.goto(locked.url)
        by(page, "key").wait_for()
        assert "key" in by(page, "error").inner_text()
        by(page, "key").fill("secret-1")
        by(page, "key").press("Enter")
        wait_for(lambda: page.locator("#model").text_content() not in ("", "loading…"))
        assert by(page, "error").inner_text() == ""
        page.close()


def main():
    chromium = shutil.which("chromium")
    if not sync_playwright or not chromium:
        print("page: skipped: no playwright (script/python-env clients) or no chromium (script/bootstrap --test)")
        return
    folder = sys.argv[2] if len(sys.argv) > 2 else None
    troubles = []
    with Server(sys.argv[1]) as server, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-gpu"])
        for width, scheme in ((1440, "light"), (360, "dark")):
            visit(browser, server, width, scheme, folder, troubles)
        assert not troubles, troubles
        key_is_asked_for(browser, sys.argv[1])
        browser.close()
    print("page: drawn, cancelled, edited, kept and asked about at 1440 and 360 pixels, light and dark, nobody kept out; key asked for")


main()
