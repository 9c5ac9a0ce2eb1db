"use strict";
// The contract that is open is in sight in the list beside it.
(() => {
  const [list, current] = [document.getElementById("list"), document.querySelector("#list .current")];
  if (current) list.scrollTop = current.offsetTop - list.clientHeight / 3;
})();
