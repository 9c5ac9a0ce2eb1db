"use strict";
// What an action on a process answers beyond that it was done: findings of a check, the copy that has begun.
(() => {
  const made = (tag, facts) => Object.assign(document.createElement(tag), facts);

  function list(findings) {
    const found = made("ul", {});
    for (const finding of findings) found.append(made("li", { textContent: finding }));
    return found;
  }

  document.addEventListener("lineshaft:done", (done) => {
    const { form, body, asked } = done.detail;
    const output = form.querySelector("output");
    if (body?.forked)
      output.append(": ", made("a", { textContent: "open it", href: `process?id=${encodeURIComponent(body.forked)}` }));
    if (body?.instances) {
      const staying = body.instances.filter((each) => each.finding);
      output.className = staying.length ? "bad" : "good";
      const count = body.instances.length;
      output.replaceChildren(
        asked.dry_run
          ? `${body.fitting} of ${count} fit; nothing was changed`
          : `${body.moved} of ${count} moved, the others stay`,
      );
      if (staying.length) output.append(list(staying.map((each) => `${each.business_key}: ${each.finding}`)));
    } else if (asked.dry_run) {
      form.dataset.dirty = "yes"; // it is not sent yet
      const findings = body?.findings || [];
      output.className = findings.length ? "bad" : "good";
      output.replaceChildren(findings.length ? "This cannot be taken:" : "The contract is kept; nothing was changed.");
      if (findings.length) output.append(list(findings));
    }
  });
})();
