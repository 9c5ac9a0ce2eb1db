"use strict";
// What people decide: `form.action` asks the governed API at `data-url`, with the token of the session, and says what
// came of it. A field's `data-type` says what it is in JSON: text (the usual), json (as it was typed: numbers may have
// more digits than a browser's), number, flag, list (a line each), any (text, sent when it is empty, too), item (chosen
// ones of a name, as a list). A field without a value is left out. The form gets `lineshaft:done` with {form, body: what
// was answered, asked: what was sent}, which goes up to the document.
(() => {
  const csrf = document.querySelector('meta[name="csrf"]').content;

  function valueOf(field) {
    const text = field.value.trim();
    if (field.type === "checkbox") return field.checked;
    switch (field.dataset.type) {
      case "json":
        try {
          return text === "" ? undefined : JSON.parse(text);
        } catch (error) {
          throw new Error(`${field.dataset.label || field.name} is no JSON: ${error.message}`);
        }
      case "number":
        return text === "" ? undefined : Number(text);
      case "flag":
        return text === "true";
      case "any":
        return text;
      case "list":
        return text.split("\n").map((line) => line.trim()).filter(Boolean);
      default:
        return text === "" ? undefined : text;
    }
  }

  // What is asked as a value, and as the text that is sent.
  function bodyOf(form, submitter) {
    const body = {};
    const typed = {};
    for (const field of form.elements) {
      if (!field.name || field.disabled || field.type === "submit") continue;
      const value = valueOf(field);
      if (value === undefined) continue;
      if (field.dataset.type === "item") {
        if (value !== false) (body[field.name] ||= []).push(field.value);
        continue;
      }
      body[field.name] = value;
      if (field.dataset.type === "json") typed[field.name] = field.value.trim();
    }
    if (submitter?.name) body[submitter.name] = valueOf(submitter);
    const parts = Object.entries(body).map(([name, value]) => `${JSON.stringify(name)}:${typed[name] ?? JSON.stringify(value)}`);
    return [body, `{${parts.join(",")}}`];
  }

  function key() {
    return [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16).padStart(2, "0")).join("");
  }

  function say(form, tone, text, details = []) {
    const output = form.querySelector("output");
    output.className = tone;
    output.replaceChildren(text);
    if (!details.length) return;
    const list = document.createElement("ul");
    for (const detail of details) list.append(Object.assign(document.createElement("li"), { textContent: detail }));
    output.append(list);
  }

  // Somebody else decided meanwhile: what was typed stays until it is given up.
  function offerNew(form) {
    const load = Object.assign(document.createElement("button"), { type: "button", className: "plain", textContent: "Load the new state" });
    load.addEventListener("click", () => location.reload());
    const line = document.createElement("p");
    line.append(load, " What is typed here is lost then.");
    form.querySelector("output").append(line);
  }

  document.addEventListener("submit", async (submission) => {
    const form = submission.target;
    if (!form.matches("form.action")) return;
    submission.preventDefault();
    if (form.getAttribute("aria-busy") === "true") return;
    form.setAttribute("aria-busy", "true");
    say(form, "busy", "working …");
    try {
      const [asked, text] = bodyOf(form, submission.submitter);
      const answer = await fetch(form.dataset.url, {
        method: form.dataset.method || "POST",
        headers: { "Content-Type": "application/json", "Idempotency-Key": key(), ...(csrf && { "X-CSRF-Token": csrf }) },
        body: text,
      });
      const told = (await answer.text()) || "null";
      const found = answer.headers.get("content-type")?.includes("json") ? JSON.parse(told) : null;
      if (!answer.ok) {
        const problem = found || {};
        say(form, "bad", problem.detail || problem.title || `the server said ${answer.status}`, problem.errors || []);
        if (problem.code === "changed_meanwhile") offerNew(form);
        return;
      }
      if (!asked.dry_run) {
        delete form.dataset.dirty;
        if (form.elements.seen && Number.isInteger(found?.decisions)) form.elements.seen.value = found.decisions;
      }
      say(form, "good", form.dataset.done || "Done");
      form.dispatchEvent(new CustomEvent("lineshaft:done", { bubbles: true, detail: { form, body: found, asked } }));
    } catch (error) {
      say(form, "bad", error.message);
    } finally {
      form.removeAttribute("aria-busy");
    }
  });

  // A name is asked for once in a browser.
  const remembered = (field) => `lineshaft.${field.dataset.remember}`;
  function recall() {
    for (const field of document.querySelectorAll("[data-remember]"))
      if (!field.value) field.value = localStorage.getItem(remembered(field)) || "";
  }
  document.addEventListener("change", (change) => {
    if (change.target.matches("[data-remember]")) localStorage.setItem(remembered(change.target), change.target.value);
  });
  document.addEventListener("lineshaft:refreshed", recall);
  document.addEventListener("htmx:afterSettle", recall);
  recall();
})();
