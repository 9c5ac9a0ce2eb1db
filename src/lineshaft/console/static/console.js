"use strict";
// Keeps the page as the server has it: server-sent events tell what changed, and the parts of the page that show it
// (`data-live="topic …"`, each with an id) are read again and morphed, so that focus, scroll position and what is
// folded out or being typed stay. Ages are counted here, by the server's clock.
(() => {
  const SILENCE_MS = 25_000; // the server beats every ten seconds
  const RECONNECT_MS = 3_000;
  const REFRESH_MS = 1_000; // least time between two readings of the page
  const SETTLED_MS = 300; // after a decision
  const STREAM = "events-stream";
  const live = document.getElementById("live");
  const clock = document.getElementById("clock");
  const zone = document.body.dataset.zone;
  let version = "";
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

  const still = matchMedia("(prefers-reduced-motion: reduce)");
  function highlight(element) {
    if (still.matches) return;
    const colour = getComputedStyle(document.documentElement).getPropertyValue("--mark");
    const cells = element.matches("tr") ? element.children : [element];
    for (const cell of cells) cell.animate([{ backgroundColor: colour }, {}], { duration: 1800, easing: "ease-out" });
  }

  // What is folded out, typed or drawn is the reader's, not the server's.
  const isReaders = (node) =>
    node.nodeType === Node.ELEMENT_NODE &&
    (node.matches("[data-keep]") || (node.matches("form") && (node.dataset.dirty || node.contains(document.activeElement))));
  const morphing = {
    morphStyle: "outerHTML",
    ignoreActiveValue: true,
    callbacks: {
      beforeNodeMorphed(old, fresh) {
        if (old.nodeType !== Node.ELEMENT_NODE) return true;
        if (old.dataset.series !== fresh.dataset?.series && old.matches(".chart")) {
          old.dataset.series = fresh.dataset.series;
          old.dispatchEvent(new CustomEvent("series"));
        }
        if (old.matches(".chart") || isReaders(old)) return false;
        if (old.dataset.mark !== fresh.dataset?.mark && old.id && old.id === fresh.id) highlight(old);
        return true;
      },
      beforeAttributeUpdated: (name, node) => !(name === "open" && node.matches("details, dialog")),
      beforeNodeRemoved: (node) => !isReaders(node),
      afterNodeAdded(node) {
        if (node.nodeType === Node.ELEMENT_NODE && node.id && node.matches("[data-mark]")) highlight(node);
      },
    },
  };

  const pending = new Set();
  let refreshing = false;
  let refreshedAt = 0;
  let timer = 0;
  function refreshSoon(topics) {
    for (const topic of topics) pending.add(topic);
    if (timer || refreshing || !parts(pending).length) return;
    timer = setTimeout(refresh, Math.max(0, refreshedAt + REFRESH_MS - Date.now()));
  }
  const parts = (topics) =>
    [...document.querySelectorAll("[data-live]")].filter((part) =>
      part.dataset.live.split(" ").some((topic) => topic === "*" || topics.has(topic)),
    );
  async function refresh() {
    clearTimeout(timer);
    timer = 0;
    refreshing = true;
    const wanted = parts(pending).map((part) => part.id);
    pending.clear();
    try {
      const answer = await fetch(location.href, { headers: { Accept: "text/html" }, redirect: "manual" });
      if (answer.type === "opaqueredirect") return location.reload();
      const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
      for (const id of wanted) {
        const [old, replacement] = [document.getElementById(id), fresh.getElementById(id)];
        if (old?.dataset.live === "*" && !replacement) return location.reload(); // what was away is back
        if (old && replacement) Idiomorph.morph(old, document.importNode(replacement, true), morphing);
      }
      tick();
      document.dispatchEvent(new CustomEvent("lineshaft:refreshed"));
    } catch {
      // the stream tells of the lost server, and brings the next change
    } finally {
      refreshedAt = Date.now();
      refreshing = false;
    }
    if (pending.size) refreshSoon([]);
  }
  // After a decision everything on the page may be different: at once, and when what it set going is done.
  function refreshAll() {
    for (const part of document.querySelectorAll("[data-live]"))
      for (const topic of part.dataset.live.split(" ")) pending.add(topic);
    if (!refreshing) refresh();
  }
  document.addEventListener("lineshaft:done", () => {
    refreshAll();
    setTimeout(refreshAll, SETTLED_MS);
  });
  document.addEventListener("input", (change) => {
    const form = change.target.closest("form.action");
    if (form) form.dataset.dirty = "yes";
  });

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
    source = new EventSource(version ? `${STREAM}?since=${encodeURIComponent(version)}` : STREAM);
    source.addEventListener("touched", (message) => {
      const news = listen(message);
      version = message.lastEventId;
      refreshSoon(news.topics);
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

  let going = 0;
  document.addEventListener("keydown", (press) => {
    const typing = press.target.closest?.("input, textarea, select");
    if (typing || press.ctrlKey || press.metaKey || press.altKey) return;
    if (press.key === "/") {
      press.preventDefault();
      const field = document.getElementById("key");
      field.focus();
      field.select();
    } else if (press.key === "g") {
      going = Date.now();
    } else if (Date.now() - going < 1500) {
      const place = [...document.querySelectorAll("[data-go]")].find((link) => link.dataset.go === press.key);
      going = 0;
      if (place) location.assign(place.href);
    }
  });

  setInterval(tick, 1000);
  tick();
  connect();
})();
