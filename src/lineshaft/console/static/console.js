"use strict";
// Keeps the page as the server has it: changed panels come by server-sent events and are merged into the page, so
// that focus, scroll position, selection and opened payloads stay. Ages are counted here, by the server's clock.
(() => {
  const SILENCE_MS = 25_000; // the server beats every ten seconds
  const RECONNECT_MS = 3_000;
  const REFRESH_MS = 2_000; // least time between two readings of an open trace
  const live = document.getElementById("live");
  const clock = document.getElementById("clock");
  const [address, query] = document.body.dataset.stream.split("?");
  const zone = document.body.dataset.zone;
  let version = new URLSearchParams(query).get("since");
  let ahead = Date.parse(document.body.dataset.now) - Date.now();
  let heard = Date.now();
  let tried = heard;
  let source = null;
  let again = 0;

  const now = () => Date.now() + ahead;
  const timeOfDay = new Intl.DateTimeFormat("en-GB", { timeZone: zone, timeStyle: "medium" });

  function say(word, look) {
    const text = look === "off" ? `${word}, last news ${timeOfDay.format(heard + ahead)}` : word;
    if (live.textContent !== text) live.textContent = text;
    live.className = `live ${look}`;
  }

  // Merging: the old element takes over attributes and children of the new one; keyed children are matched by key.
  function merge(old, fresh) {
    for (const { name, value } of fresh.attributes) {
      if (name === "open") continue; // what is folded out is the reader's choice
      if (old.getAttribute(name) !== value) old.setAttribute(name, value);
    }
    for (const { name } of [...old.attributes]) {
      if (name !== "open" && !fresh.hasAttribute(name)) old.removeAttribute(name);
    }
    mergeChildren(old, fresh);
  }

  function mergeChildren(old, fresh) {
    const keyed = new Map();
    for (const child of old.children) if (child.dataset && child.dataset.key) keyed.set(child.dataset.key, child);
    let place = old.firstChild;
    for (const child of [...fresh.childNodes]) {
      const key = child.dataset && child.dataset.key;
      const match = key ? keyed.get(key) : place && alike(place, child) ? place : null;
      if (!match) {
        old.insertBefore(child, place);
        if (key && keyed.size) highlight(child);
        continue;
      }
      if (match === place) place = place.nextSibling;
      else old.insertBefore(match, place);
      if (match.nodeType !== Node.ELEMENT_NODE) {
        if (match.data !== child.data) match.data = child.data;
        continue;
      }
      const changed = match.dataset && match.dataset.mark !== child.dataset.mark;
      merge(match, child);
      if (changed) highlight(match);
    }
    while (place) {
      const next = place.nextSibling;
      place.remove();
      place = next;
    }
  }

  const alike = (old, fresh) =>
    old.nodeType === fresh.nodeType && old.nodeName === fresh.nodeName && !(old.dataset && old.dataset.key);

  const still = matchMedia("(prefers-reduced-motion: reduce)");
  function highlight(element) {
    if (still.matches) return;
    const colour = getComputedStyle(document.documentElement).getPropertyValue("--mark");
    const cells = element.matches("tr") ? element.children : [element];
    for (const cell of cells) cell.animate([{ backgroundColor: colour }, {}], { duration: 1800, easing: "ease-out" });
  }

  function show(panels) {
    for (const [name, html] of Object.entries(panels)) {
      const panel = document.querySelector(`[data-panel="${name}"]`);
      if (!panel) continue;
      const fresh = document.createElement("template");
      fresh.innerHTML = html;
      mergeChildren(panel, fresh.content);
    }
    tick();
    if (["processes", "calls", "events"].some((name) => name in panels)) refreshSoon();
  }

  // An open trace is read again when the ledger has changed.
  const stories = document.querySelector("[data-refresh]");
  let waiting = 0;
  let refreshedAt = 0;
  function refreshSoon() {
    if (!stories || waiting || !new URLSearchParams(location.search).get("key")) return;
    waiting = setTimeout(refresh, Math.max(0, refreshedAt + REFRESH_MS - Date.now()));
  }
  async function refresh() {
    try {
      const answer = await fetch(location.href, { headers: { Accept: "text/html" } });
      const fresh = new DOMParser().parseFromString(await answer.text(), "text/html").querySelector("[data-refresh]");
      if (fresh) mergeChildren(stories, document.importNode(fresh, true));
    } catch {
      // the stream tells of the lost server, and brings the next change
    }
    refreshedAt = Date.now();
    waiting = 0;
  }

  function age(seconds) {
    const s = Math.max(0, Math.floor(seconds));
    const pad = (number) => String(Math.floor(number)).padStart(2, "0");
    if (s < 60) return `${s} s`;
    if (s < 3600) return `${Math.floor(s / 60)} min`;
    if (s < 86400) return `${Math.floor(s / 3600)} h ${pad((s % 3600) / 60)} min`;
    return `${Math.floor(s / 86400)} d ${pad((s % 86400) / 3600)} h`;
  }

  function tick() {
    for (const element of document.querySelectorAll("[data-since]")) {
      const text = age((now() - Date.parse(element.dataset.since)) / 1000);
      if (element.textContent !== text) element.textContent = text;
    }
    clock.textContent = timeOfDay.format(now());
    clock.dateTime = new Date(now()).toISOString();
    if (source && Date.now() - Math.max(heard, tried) > SILENCE_MS) reconnect();
    if (live.classList.contains("off")) say("reconnecting", "off");
  }

  // A hidden page closes its stream: the server rests when nobody looks.
  function connect() {
    clearTimeout(again);
    if (source || document.hidden) return;
    tried = Date.now();
    source = new EventSource(version ? `${address}?since=${encodeURIComponent(version)}` : address);
    source.addEventListener("panels", (message) => {
      const news = listen(message);
      version = message.lastEventId;
      show(news.panels);
    });
    source.addEventListener("beat", listen);
    source.addEventListener("error", () => {
      say("reconnecting", "off");
      if (!source || source.readyState !== EventSource.CLOSED) return;
      reconnect();
      toLogin();
    });
  }
  // A stream that is refused may mean that the session is over: then the page itself leads to the log-in.
  async function toLogin() {
    try {
      const answer = await fetch(location.href, { method: "HEAD", redirect: "manual" });
      if (answer.type === "opaqueredirect" || answer.status === 401) location.reload();
    } catch {
      // the server is away: the stream is tried again
    }
  }
  function listen(message) {
    const news = JSON.parse(message.data);
    heard = Date.now();
    ahead = Date.parse(news.at) - heard;
    say("live", "on");
    return news;
  }
  function disconnect() {
    if (source) source.close();
    source = null;
  }
  function reconnect() {
    disconnect();
    say("reconnecting", "off");
    again = setTimeout(connect, RECONNECT_MS);
  }

  document.addEventListener("visibilitychange", () => {
    if (!document.hidden) return connect();
    disconnect();
    say("paused", "waiting");
  });
  document.addEventListener("keydown", (press) => {
    const field = document.getElementById("key");
    const typing = press.target.closest("input, textarea, select");
    if (press.key !== "/" || typing || press.ctrlKey || press.metaKey || press.altKey) return;
    press.preventDefault();
    field.focus();
    field.select();
  });

  setInterval(tick, 1000);
  tick();
  connect();
})();
