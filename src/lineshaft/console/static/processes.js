"use strict";
// One decision about several processes: each is asked for by itself, through the API of one, and says what came of it.
(() => {
  const AT_ONCE = 4;
  const bulk = document.getElementById("bulk");
  if (!bulk) return;
  const csrf = document.querySelector('meta[name="csrf"]').content;
  const output = bulk.querySelector("output");
  const chosen = () => [...document.querySelectorAll(".choice:checked")];

  function count() {
    const number = chosen().length;
    document.getElementById("chosen-count").textContent = number;
    bulk.hidden = !number && !output.textContent;
  }

  async function ask(box, action, body) {
    const said = document.getElementById(`said-${box.value}`);
    said.className = "busy";
    said.textContent = "working …";
    try {
      const answer = await fetch(`${bulk.dataset.root}/${encodeURIComponent(box.value)}/${action}`, {
        method: "POST",
        headers: { "Content-Type": "application/json", ...(csrf && { "X-CSRF-Token": csrf }) },
        body: JSON.stringify(body),
      });
      const told = await answer.json();
      said.className = answer.ok ? "good" : "bad";
      said.textContent = answer.ok ? `${action}: done` : told.detail || `the server said ${answer.status}`;
      if (answer.ok) box.checked = false;
      return answer.ok;
    } catch (error) {
      said.className = "bad";
      said.textContent = error.message;
      return false;
    }
  }

  document.addEventListener("change", (change) => {
    if (change.target.matches(".choice")) {
      output.replaceChildren();
      count();
    }
  });
  document.getElementById("choose-none").addEventListener("click", () => {
    for (const box of chosen()) box.checked = false;
    output.replaceChildren();
    count();
  });
  document.addEventListener("htmx:afterSettle", count);
  document.addEventListener("lineshaft:refreshed", count);

  bulk.addEventListener("submit", async (submission) => {
    submission.preventDefault();
    if (bulk.getAttribute("aria-busy") === "true") return;
    bulk.setAttribute("aria-busy", "true");
    const { action, ...body } = Object.fromEntries(new FormData(bulk));
    const waiting = chosen();
    const all = waiting.length;
    let good = 0;
    output.className = "busy";
    output.textContent = "working …";
    const line = async () => {
      for (let box = waiting.shift(); box; box = waiting.shift()) if (await ask(box, action, body)) good++;
    };
    await Promise.all(Array.from({ length: AT_ONCE }, line));
    output.className = good === all ? "good" : "bad";
    output.textContent =
      good === all ? `${action}: all ${all} done` : `${action}: ${good} of ${all} done; each row says what came of it`;
    bulk.removeAttribute("aria-busy");
    count();
    document.dispatchEvent(new CustomEvent("lineshaft:done", { detail: { form: bulk, body: null, asked: body } }));
  });
  count();
})();
