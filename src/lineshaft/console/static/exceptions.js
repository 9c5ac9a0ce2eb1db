"use strict";
// What is chosen among exceptions, what is decided about it, and what came of it.
//
// Ticked rows are chosen by their ids; a whole group, too, as long as it is small enough. A larger one is chosen by its
// filters and the number that was shown: the API does nothing when there are more or fewer by then.
(() => {
  const MOST = 500; // ids in one decision
  const SOON_MS = 1_000; // between two looks at what is on its way
  const bulk = document.getElementById("bulk");
  const results = document.getElementById("results");
  const made = (tag, text = "", look = "") => Object.assign(document.createElement(tag), { textContent: text, className: look });

  const chosen = new Set();
  let whole = null; // {filters, count}, instead of ids

  const numberOf = (word, number) => `${number} ${word}${number === 1 ? "" : "s"}`;
  function say(text, tone = "bad") {
    const output = document.getElementById("chosen-said");
    output.textContent = text;
    output.className = tone;
  }

  function show() {
    if (!bulk) return;
    const count = whole ? whole.count : chosen.size;
    bulk.hidden = count === 0;
    document.getElementById("chosen-count").textContent = count;
    for (const box of document.querySelectorAll(".pick")) box.checked = chosen.has(box.value);
    for (const form of bulk.querySelectorAll("form.action")) {
      const set = (name, value, used) => {
        form.elements[name].value = value;
        form.elements[name].disabled = !used;
      };
      set("ids", [...chosen].join("\n"), !whole);
      set("all", "true", Boolean(whole));
      set("expect", count, true);
      for (const field of form.querySelectorAll(".by-filter")) {
        field.value = whole?.filters[field.name] || "";
        field.disabled = !whole || !field.value;
      }
    }
  }

  function forget() {
    chosen.clear();
    whole = null;
    say("", "");
    for (const box of document.querySelectorAll(".pick-group")) box.checked = false;
    show();
  }

  // The ids of a group as it is now; none where it is too large for a list of them.
  async function idsOf(box) {
    const query = new URLSearchParams({ ...JSON.parse(box.dataset.filters), state: box.dataset.state, limit: MOST + 1 });
    const answer = await fetch(`api/exceptions?${query}`, { headers: { Accept: "application/json" } });
    if (!answer.ok) throw new Error((await answer.json()).detail);
    return (await answer.json()).map((row) => row.exception_id);
  }

  async function pickGroup(box) {
    box.disabled = true;
    try {
      const ids = await idsOf(box);
      if (!box.checked) {
        if (whole) forget();
        for (const id of ids) chosen.delete(id);
      } else if (ids.length > MOST) {
        if (box.dataset.state !== "open") throw new Error(`Of those that are not open, at most ${MOST} are decided at once.`);
        const count = Number(box.closest(".cause-group").dataset.mark.split(" ")[0]);
        forget();
        box.checked = true;
        whole = { filters: JSON.parse(box.dataset.filters), count };
      } else {
        if (whole) forget();
        box.checked = true;
        for (const id of ids) chosen.add(id);
      }
      say("", "");
    } catch (error) {
      box.checked = false;
      say(error.message);
    } finally {
      box.disabled = false;
    }
    show();
  }

  document.addEventListener("change", (change) => {
    const box = change.target;
    if (box.matches?.(".pick-group")) return pickGroup(box);
    if (!box.matches?.(".pick, .pick-all")) return;
    const is = box.checked;
    if (whole) forget();
    for (const each of box.matches(".pick") ? [box] : box.closest("table").querySelectorAll(".pick"))
      if (!is) chosen.delete(each.value);
      else if (chosen.size < MOST) chosen.add(each.value);
      else say(`At most ${MOST} are chosen one by one: choose a whole cause instead.`);
    show();
  });
  document.getElementById("choose-none")?.addEventListener("click", forget);
  document.addEventListener("lineshaft:refreshed", show);
  document.addEventListener("htmx:afterSettle", show);

  // What came of it: a line for each, and again while some of them are on their way.
  const TONES = { posted: "good", waiting: "busy", "would be redriven": "plain", refused: "bad", "failed again": "bad" };

  function told(line, row) {
    line.dataset.verdict = row.verdict;
    const what = made("td", "", "said main");
    if (row.does) what.append(made("p", row.does));
    if (row.detail) what.append(made("p", row.detail, "detail-text"));
    if (row.findings?.length) {
      const list = made("ul", "", "findings");
      list.append(...row.findings.map((finding) => made("li", finding)));
      what.append(list);
    }
    const documents = made("td");
    documents.dataset.label = "Documents";
    for (const each of row.documents || []) {
      const link = made("a", each.number || each.operation, "chip key");
      link.href = `trace?key=${encodeURIComponent(each.number || row.exception_id)}`;
      link.title = `${each.system} ${each.operation}`;
      documents.append(link, " ");
    }
    const which = made("td", "", "key");
    const link = made("a", row.exception_id.slice(0, 8));
    link.href = `exception?id=${row.exception_id}`;
    which.append(link);
    const state = made("td", "", "is");
    state.append(made("span", row.verdict, `state ${TONES[row.verdict] || "plain"}`));
    line.replaceChildren(state, what, documents, which);
  }

  function heading(text) {
    const title = made("h2", text);
    const close = made("button", "Close", "plain");
    close.type = "button";
    close.addEventListener("click", () => (results.hidden = true));
    title.append(close);
    return title;
  }

  function sum(rows) {
    const counts = new Map();
    for (const row of rows) counts.set(row.verdict, (counts.get(row.verdict) || 0) + 1);
    return [...counts].map(([verdict, number]) => `${number} ${verdict}`).join(", ") || "nothing was chosen";
  }

  let following = 0;
  function list(rows, title) {
    const table = made("table");
    table.innerHTML = "<thead><tr><th>Now</th><th>What it does</th><th>Documents</th><th>Exception</th></tr></thead>";
    const body = made("tbody");
    const known = new Map();
    for (const row of rows.slice(0, MOST)) {
      const line = made("tr");
      known.set(row.exception_id, { line, row });
      told(line, row);
      body.append(line);
    }
    table.append(body);
    const text = () => `${title}: ${sum([...known.values()].map((each) => each.row))}`;
    const head = heading(text());
    results.replaceChildren(head, table);
    if (rows.length > MOST) results.append(made("p", `${rows.length - MOST} more are not listed here.`, "more"));
    results.hidden = false;
    results.scrollIntoView({ block: "nearest" });
    follow(known, () => (head.firstChild.textContent = text()), ++following);
  }

  async function follow(known, changed, run) {
    const waiting = [...known.values()].filter(({ row }) => row.verdict === "waiting").map(({ row }) => row.exception_id);
    if (!waiting.length || run !== following || results.hidden) return;
    try {
      const answer = await fetch(`api/exceptions/outcomes?ids=${waiting.slice(0, 100).join(",")}`);
      if (answer.ok)
        for (const now of await answer.json()) {
          const one = known.get(now.exception_id);
          if (!now.verdict) continue;
          one.row = { ...one.row, ...now };
          told(one.line, one.row);
        }
      changed();
    } catch {
      // the node is away: it is asked again
    }
    setTimeout(() => follow(known, changed, run), SOON_MS);
  }

  function sentence(tone, text) {
    const said = made("p");
    said.append(made("span", text, `state ${tone}`));
    results.replaceChildren(heading("What came of it"), said);
    results.hidden = false;
    results.scrollIntoView({ block: "nearest" });
  }

  // Beside the editor: that is where one reads on.
  function checked(form, findings) {
    const output = form.querySelector("output");
    output.className = findings.length ? "bad" : "good";
    output.replaceChildren(findings.length ? "It still breaks its contract:" : "It is as its contract says. Nothing was kept yet.");
    const list = made("ul");
    list.append(...findings.map((finding) => made("li", finding)));
    if (findings.length) output.append(list);
    form.dataset.dirty = "yes"; // what was typed is not kept: the page must not take it away
  }

  document.addEventListener("lineshaft:done", ({ detail: { form, body, asked } }) => {
    const verb = form.dataset.url.split("/").pop();
    form.querySelector("output").replaceChildren(); // it stands below, and stays when the form is gone
    if (verb === "redrive") list(body, asked.dry_run ? "Dry run, nothing was sent" : "Redrive");
    if (verb === "discard") sentence("good", `${numberOf("exception", body.discarded.length)} discarded.`);
    if (verb === "assign")
      sentence("good", `${numberOf("exception", body.assigned.length)} ${body.to ? `given to ${body.to}` : "given back to nobody"}.`);
    if (verb === "fix" && body.revision) sentence("good", `Kept as correction ${body.revision}. Redrive it now.`);
    else if (verb === "fix") checked(form, body.findings);
    if (asked.dry_run) return;
    form.closest("details.act")?.removeAttribute("open");
    if (bulk?.contains(form)) forget();
  });
})();
