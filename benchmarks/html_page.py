"""Measure the page in HTML at many rows: bytes, and milliseconds in headless Chromium."""

import argparse
import gzip
import json
import shutil
import tempfile
from pathlib import Path
from statistics import median
from typing import Any

from crowding import crowd
from robench.site import rendering, writing

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "chrome")
LOADED = "() => performance.getEntriesByType('navigation')[0].loadEventEnd"
SORTED = """() => {
    const button = document.querySelectorAll('.ranking .sort')[5];
    const start = performance.now();
    button.click();
    document.body.offsetHeight; // laid out, too
    return performance.now() - start;
}"""
FILTERED = """() => {
    const find = document.getElementById('find');
    const start = performance.now();
    find.value = find.value ? '' : 'fgm';
    find.dispatchEvent(new Event('input'));
    document.body.offsetHeight;
    return performance.now() - start;
}"""


def measured(path: Path, rounds: int) -> dict[str, float]:
    """Return median milliseconds of loading, also of the processor, of sorting and filtering."""
    from playwright.sync_api import sync_playwright

    executable = next(path for path in map(shutil.which, BROWSERS) if path)
    found: dict[str, list[float]] = {"load": [], "load_processor": [], "sort": [], "filter": []}
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=executable)
        for _ in range(rounds):
            page: Any = browser.new_page()
            watched = page.context.new_cdp_session(page)
            watched.send("Performance.enable", {"timeDomain": "threadTicks"})
            page.goto(path.as_uri())
            page.wait_for_function(LOADED)
            found["load"].append(page.evaluate(LOADED))
            spent = {
                one["name"]: one["value"]
                for one in watched.send("Performance.getMetrics")["metrics"]
            }
            found["load_processor"].append(1000 * spent["TaskDuration"])
            found["sort"] += [page.evaluate(SORTED) for _ in range(4)]
            found["filter"] += [page.evaluate(FILTERED) for _ in range(4)]
            page.close()
        browser.close()
    return {f"{name}_ms": round(median(values), 1) for name, values in found.items()}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=500)
    parser.add_argument("--table", type=int, help="rows of a table [default: 25]")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--out", type=Path, default=Path("leaderboard"), help="what to repeat")
    options = parser.parse_args()
    page = crowd(writing.page(options.out), options.rows, options.table)
    content = rendering.render(page)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "index.html"
        path.write_bytes(content)
        result = measured(path, options.rounds)
    sizes = {"bytes": len(content), "gzip_bytes": len(gzip.compress(content))}
    print(json.dumps({"rows": options.rows, **sizes, **result}))


if __name__ == "__main__":
    main()
