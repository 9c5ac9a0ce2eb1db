"use strict";
// What an edit changes, line by line.
//
//   lineshaftDiff(before, after)   two texts → a DocumentFragment: <pre class="diff"> with <del> and <ins> lines, long
//                                  unchanged stretches folded; a sentence when nothing differs
//   <textarea class="editor" data-type="json" data-original="…">
//                                  shows below itself, as one types, what differs from `data-original` (without it:
//                                  from its first text), or why it is no JSON. Nothing to call: markup is enough,
//                                  on a page that loads diff.js and diff.css.
(() => {
  const CONTEXT = 2; // unchanged lines that are shown around a change
  const LARGEST = 4_000_000; // cells of the table of common lines; beyond it the whole middle counts as changed

  // [["same" | "gone" | "new", line], …] by the longest common subsequence of lines.
  function changes(before, after) {
    let [start, a, b] = [0, before.length, after.length];
    while (start < a && start < b && before[start] === after[start]) start++;
    while (a > start && b > start && before[a - 1] === after[b - 1]) a--, b--;
    const tail = before.slice(a).map((line) => ["same", line]);
    const [old, fresh] = [before.slice(start, a), after.slice(start, b)];
    const found = before.slice(0, start).map((line) => ["same", line]);
    const width = fresh.length + 1;
    const fits = (old.length + 1) * width <= LARGEST;
    const common = new Uint16Array(fits ? (old.length + 1) * width : 0);
    if (fits)
      for (let i = old.length - 1; i >= 0; i--)
        for (let j = fresh.length - 1; j >= 0; j--)
          common[i * width + j] =
            old[i] === fresh[j]
              ? common[(i + 1) * width + j + 1] + 1
              : Math.max(common[(i + 1) * width + j], common[i * width + j + 1]);
    let [i, j] = [0, 0];
    while (i < old.length || j < fresh.length) {
      if (fits && i < old.length && j < fresh.length && old[i] === fresh[j]) {
        found.push(["same", old[i]]);
        i++, j++;
      } else if (i < old.length && (!fits || j === fresh.length || common[(i + 1) * width + j] >= common[i * width + j + 1]))
        found.push(["gone", old[i++]]);
      else found.push(["new", fresh[j++]]);
    }
    return found.concat(tail);
  }

  const made = (tag, text, look = "") => Object.assign(document.createElement(tag), { textContent: text, className: look });

  function lineshaftDiff(before, after) {
    const shown = document.createDocumentFragment();
    const lines = changes(before.split("\n"), after.split("\n"));
    if (lines.every(([kind]) => kind === "same")) {
      shown.append(made("p", "Nothing is changed.", "no-diff"));
      return shown;
    }
    const isNear = (at) => lines.slice(Math.max(0, at - CONTEXT), at + CONTEXT + 1).some(([kind]) => kind !== "same");
    const close = lines.map((_, at) => isNear(at));
    const near = close.map((is, at) => is || (close[at - 1] !== false && close[at + 1] !== false)); // no fold of one line
    const block = made("pre", "", "diff");
    block.tabIndex = 0;
    block.setAttribute("role", "region");
    block.setAttribute("aria-label", "What is changed");
    for (let at = 0; at < lines.length; at++) {
      const [kind, line] = lines[at];
      if (near[at]) {
        block.append(made({ same: "span", gone: "del", new: "ins" }[kind], line));
        continue;
      }
      const from = at;
      while (at + 1 < lines.length && !near[at + 1]) at++;
      block.append(made("span", `${at - from + 1} lines as before`, "folded"));
    }
    shown.append(block);
    return shown;
  }
  window.lineshaftDiff = lineshaftDiff;

  // As it would be sent: JSON in one form, so that only a change of meaning is a change.
  const asSent = (text, type) => (type === "json" && text.trim() ? JSON.stringify(JSON.parse(text), null, 2) : text);

  function show(editor) {
    let place = editor.nextElementSibling;
    if (!place?.matches(".editor-diff")) {
      place = made("div", "", "editor-diff");
      place.dataset.keep = "";
      place.setAttribute("aria-live", "polite");
      editor.after(place);
    }
    const original = editor.dataset.original ?? editor.defaultValue;
    try {
      const [before, after] = [original, editor.value].map((text) => asSent(text, editor.dataset.type));
      place.replaceChildren(lineshaftDiff(before, after));
    } catch (error) {
      place.replaceChildren(made("p", `This is no JSON yet: ${error.message}`, "no-json"));
    }
  }

  document.addEventListener("input", (change) => {
    if (change.target.matches?.("textarea.editor")) show(change.target);
  });
})();
