"use strict";
// Buttons with `data-copy` put their text on the clipboard, also where the page is not served securely.
(() => {
  async function copy(text) {
    if (navigator.clipboard) return navigator.clipboard.writeText(text);
    const field = Object.assign(document.createElement("textarea"), { value: text, readOnly: true });
    document.body.append(field);
    field.select();
    document.execCommand("copy");
    field.remove();
  }
  document.addEventListener("click", async (click) => {
    const button = click.target.closest("button[data-copy]");
    if (!button) return;
    const label = button.textContent;
    try {
      await copy(button.dataset.copy);
      button.textContent = "copied";
    } catch {
      button.textContent = button.dataset.copy;
      return;
    }
    setTimeout(() => (button.textContent = label), 1500);
  });
})();
