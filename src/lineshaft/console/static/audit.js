"use strict";
// What a decision changed, line by line, once its detail is folded out.
(() => {
  function draw(scope) {
    for (const change of scope.querySelectorAll(".change[data-before]:not([data-keep])")) {
      change.replaceChildren(lineshaftDiff(change.dataset.before, change.dataset.after));
      change.dataset.keep = "";
    }
  }
  document.addEventListener("toggle", (toggled) => toggled.target.open && draw(toggled.target), true);
})();
