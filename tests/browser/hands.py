"""What people do on a page, and how soon the page answers them."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

import msgspec
from playwright.async_api import Locator, Page

__all__ = ["Answered", "act", "fold_out"]

_WATCH = """
(form) => {
  const results = document.getElementById("results");
  const seen = { asked: 0, busy: 0, said: 0, text: "", good: false };
  window.seenOfAction = seen;
  if (results) results.hidden = true;
  form.addEventListener("submit", () => { seen.asked ||= performance.now(); }, { capture: true, once: true });
  const look = () => {
    if (!seen.asked || seen.said) return;
    if (!seen.busy && form.getAttribute("aria-busy") === "true") seen.busy = performance.now();
    const output = form.querySelector("output");
    const text = results && !results.hidden ? results.innerText : output.innerText;
    if (!text || text.startsWith("working")) return;
    Object.assign(seen, { said: performance.now(), text, good: output.className !== "bad" });
  };
  const everything = { attributes: true, childList: true, subtree: true, characterData: true };
  for (const part of [form, results]) if (part) new MutationObserver(look).observe(part, everything);
}
"""


class Answered(msgspec.Struct, frozen=True, kw_only=True):
    """What an action's form said of it, or the page's list of results.

    feedback_ms, result_ms: from the press of the button to `working …`, and to what came of it
    """

    text: str
    good: bool
    feedback_ms: float
    result_ms: float


async def fold_out(page: Page, label: str) -> Locator:
    """The form of an action, folded out by its label."""
    details = page.locator("details.act").filter(has=page.locator("summary", has_text=label)).first
    if await details.get_attribute("open") is None:
        await details.locator("summary").click()
    return details.locator("form")


async def act(
    page: Page,
    label: str,
    fields: Mapping[str, Any] | None = None,
    *,
    reason: str = "it was looked at",
    press: str = "",
) -> Answered:
    """Fold out an action, fill it in and send it; returns when the page says what came of it.

    fields   by the names of the form's fields; what is no text is typed as JSON
    press    how the button's text begins, where it is not the label
    """
    form = await fold_out(page, label)
    for name, value in (fields or {}).items():
        field = form.locator(f"[name='{name}']:not(button)")
        if await field.evaluate("(field) => field.tagName") == "SELECT":
            await field.select_option(str(value))
        else:
            await field.fill(value if isinstance(value, str) else json.dumps(value, indent=2))
    why = form.locator("input[name=reason]")
    if reason and await why.count():
        await why.fill(reason)
    await form.evaluate(_WATCH)
    await form.get_by_role("button", name=re.compile(f"^{press or label}")).click()
    await page.wait_for_function("() => window.seenOfAction.said")
    seen = await page.evaluate("() => window.seenOfAction")
    return Answered(
        text=seen["text"],
        good=seen["good"],
        feedback_ms=seen["busy"] - seen["asked"],
        result_ms=seen["said"] - seen["asked"],
    )
