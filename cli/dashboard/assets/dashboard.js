// Keeps an open page current, says how current it is, and listens to keys. It shows nothing that the server did not send.
"use strict";
(() => {
  const root = document.documentElement;
  const every = 1000 * Number(root.dataset.every);
  const contact = document.getElementById("contact");
  const tags = new Map();
  let heardAt = Date.now();
  let lostSince = 0;
  let timer = 0;

  // What is current: asked again while somebody looks, less often while nobody answers.

  const regions = () => document.querySelectorAll("[data-hx-trigger=look]");
  const pause = () => (lostSince ? Math.min(10000, Math.max(1000, (Date.now() - lostSince) / 4)) : every);

  function look() {
    clearTimeout(timer);
    if (!every) return;
    timer = setTimeout(look, pause());
    if (document.hidden) return;
    for (const region of regions()) htmx.trigger(region, "look");
    if (window.plots) window.plots.look();
  }

  function heard() {
    heardAt = Date.now();
    if (lostSince) {
      lostSince = 0;
      look();
    }
    tellContact();
  }

  function lost(why) {
    lostSince = lostSince || Date.now();
    tellContact(why);
  }

  function tellContact(why) {
    const seconds = Math.round((Date.now() - heardAt) / 1000);
    const words = !every ? "" : lostSince ? why || contact.dataset.why || "not answering" : "live";
    contact.dataset.why = lostSince ? words : "";
    contact.className = `contact ${lostSince ? "lost" : "live"}`;
    const text = lostSince ? `${words}; shown is from ${duration(seconds)} ago` : words;
    if (contact.textContent !== text) contact.textContent = text;
  }

  const refused = (status) => (status === 401 ? "signed out: open the address from the terminal again" : `answered ${status}`);

  window.contact = { heard, lost, refused };

  document.addEventListener("htmx:config:request", (event) => {
    const { sourceElement, request } = event.detail.ctx;
    if (sourceElement.matches("form")) return;
    const known = tags.get(sourceElement.id);
    if (known && known.action === address(request)) request.headers["If-None-Match"] = known.tag;
  });
  document.addEventListener("htmx:after:request", (event) => {
    const { sourceElement, request, response } = event.detail.ctx;
    if (response.status !== 200 && response.status !== 304) return;
    const assets = response.headers.get("x-assets");
    if (assets && assets !== document.querySelector("meta[name=assets]").content) return location.reload();
    const tag = response.headers.get("etag");
    // What somebody types replaces a region, which then has to be asked for anew.
    if (sourceElement.matches("form")) tags.delete(sourceElement.dataset.hxTarget.slice(1));
    else if (tag) tags.set(sourceElement.id, { tag, action: request.action });
    heard();
  });
  document.addEventListener("htmx:before:swap", (event) => {
    // What went wrong is said above; the page keeps what it has.
    if (event.detail.ctx.response.status >= 400) event.preventDefault();
  });
  document.addEventListener("htmx:response:error", (event) => lost(refused(event.detail.ctx.response.status)));
  document.addEventListener("htmx:error", () => lost("the dashboard does not answer"));

  function address(request) {
    const fields = new URLSearchParams(request.body || "").toString();
    return request.action + (fields ? `?${fields}` : "");
  }

  document.addEventListener("visibilitychange", () => document.hidden || look());

  // Times: the server sends when, the page says how long ago.

  function duration(seconds) {
    const s = Math.max(0, Math.floor(seconds));
    const two = (n) => String(n).padStart(2, "0");
    if (s < 60) return `${s} s`;
    if (s < 3600) return `${Math.floor(s / 60)} m ${two(s % 60)} s`;
    if (s < 86400) return `${Math.floor(s / 3600)} h ${two(Math.floor((s % 3600) / 60))} m`;
    return `${Math.floor(s / 86400)} d ${two(Math.floor((s % 86400) / 3600))} h`;
  }

  function tellTimes() {
    for (const time of document.querySelectorAll("time[data-ago]")) {
      const text = `${duration(Date.now() / 1000 - Number(time.dataset.ago))} ago`;
      if (time.textContent !== text) time.textContent = text;
    }
  }

  // The log stays at its end while the reader is there.

  const atEnd = (box) => box.scrollHeight - box.scrollTop - box.clientHeight < 40;
  let wasAtEnd = true;
  document.addEventListener("htmx:before:swap", () => {
    const box = document.getElementById("log-lines");
    wasAtEnd = !box || atEnd(box);
  });
  document.addEventListener("htmx:after:swap", () => {
    tellTimes();
    const box = document.getElementById("log-lines");
    if (box && wasAtEnd) box.scrollTop = box.scrollHeight;
  });

  // Theme

  const dark = matchMedia("(prefers-color-scheme: dark)");
  const isDark = () => (root.dataset.theme ? root.dataset.theme === "dark" : dark.matches);
  function toggleTheme() {
    const next = isDark() ? "light" : "dark";
    const isSystems = (next === "dark") === dark.matches;
    if (isSystems) delete root.dataset.theme;
    else root.dataset.theme = next;
    try {
      if (isSystems) localStorage.removeItem("theme");
      else localStorage.setItem("theme", next);
    } catch { /* it holds for this page */ }
    if (window.plots) window.plots.repaint();
  }
  dark.addEventListener("change", () => window.plots && window.plots.repaint());
  document.getElementById("theme").addEventListener("click", toggleTheme);

  // Keys

  const help = document.getElementById("help");
  const search = () => document.getElementById("search");
  const stops = () => [...document.querySelectorAll(".run-link, .part h2")];
  function step(by) {
    const all = stops();
    const at = all.indexOf(document.activeElement);
    const next = all[at < 0 ? (by > 0 ? 0 : all.length - 1) : Math.min(all.length - 1, Math.max(0, at + by))];
    if (!next) return;
    next.focus({ preventScroll: true });
    next.scrollIntoView({ block: next.matches("h2") ? "start" : "nearest" });
  }
  const keys = {
    j: () => step(1),
    k: () => step(-1),
    g: () => location.pathname === "/" ? scrollTo(0, 0) : location.assign("/"),
    t: toggleTheme,
    "/": () => search() && search().select(),
    "?": () => (help.open ? help.close() : help.showModal()),
  };
  document.getElementById("help-button").addEventListener("click", keys["?"]);
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
    const isTyping = event.target.matches("input[type=search], textarea, select");
    if (isTyping) {
      if (event.key === "Escape") event.target.blur();
      return;
    }
    if (help.open && event.key !== "?") return;
    if (Object.hasOwn(keys, event.key)) {
      event.preventDefault();
      keys[event.key]();
    }
  });

  tellTimes();
  setInterval(() => { tellTimes(); tellContact(); }, 1000);
  const box = document.getElementById("log-lines");
  if (box) box.scrollTop = box.scrollHeight;
  // The page has just been made; only the curves are still to come.
  if (window.plots) window.plots.look();
  if (every) timer = setTimeout(look, every);
  heard();
})();
