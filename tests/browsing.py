"""What a visitor of the page in HTML sees, through Playwright."""

from typing import Any


def column(page: Any, name: str) -> list[str]:
    """Return the texts of a column of the ranking, in the order shown."""
    heads = [head.strip() for head in page.locator(".ranking thead th").all_inner_texts()]
    place = next(at for at, head in enumerate(heads) if name in head.replace("\n", " "))
    rows = page.locator(".ranking tbody tr:visible")
    return [rows.nth(at).locator("td, th").nth(place).inner_text() for at in range(rows.count())]


def names(page: Any) -> list[str]:
    """Return the names of the rows that are shown, in order."""
    found: list[str] = page.locator(".ranking tbody th a:visible").all_inner_texts()
    return found


def chart(page: Any, kind: str) -> Any:
    """Return a chart, drawn."""
    holder = page.locator(f"[data-chart={kind}]").first
    holder.scroll_into_view_if_needed()
    holder.locator("svg").wait_for()
    return holder
