// Claviger's one script. Every page works without it; with it, parts that change are replaced in place.
"use strict";

document.documentElement.classList.add("script");

// ---- times: in the viewer's zone, UTC on hover ----
const local = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "short" });
function localTimes(root) {
  for (const time of root.querySelectorAll("time[datetime]")) {
    const moment = new Date(time.dateTime);
    if (!Number.isNaN(moment.getTime())) time.textContent = local.format(moment);
  }
}

// ---- copy buttons: data-copy names the element whose text is taken ----
async function copy(button) {
  const from = document.getElementById(button.dataset.copy);
  if (!from) return;
  const text = "value" in from ? from.value : from.textContent;
  try {
    await navigator.clipboard.writeText(text);
    say(button, "Copied");
  } catch {
    const range = document.createRange();
    range.selectNodeContents(from);
    if (from.select) from.select(); else getSelection().removeAllRanges(), getSelection().addRange(range);
    say(button, "Selected: press Ctrl+C");
  }
}
function say(button, word) {
  const before = button.dataset.word ?? button.textContent;
  button.dataset.word = before;
  button.textContent = word;
  setTimeout(() => { button.textContent = before; }, 2000);
}

// ---- alternative names: Add puts a line on the list without asking the server ----
function addName(button) {
  const field = document.getElementById(button.dataset.add);
  const list = document.getElementById(button.dataset.list);
  const line = document.getElementById(button.dataset.line);
  if (!field || !list || !line) return false;
  const name = field.value.trim();
  if (name === "") { field.focus(); return true; }
  const known = [...list.querySelectorAll("input[name=san]")].some((input) => input.value === name);
  if (!known) {
    const item = line.content.firstElementChild.cloneNode(true);
    item.querySelector("bdi").textContent = name;
    item.querySelector("input").value = name;
    item.querySelector("button").setAttribute("aria-label", "Remove " + name);
    list.append(item);
  }
  field.value = "";
  field.focus();
  announce(known ? name + " is on the list already" : name + " added");
  return true;
}
function announce(words) {
  const place = document.getElementById("said");
  if (place) place.textContent = words;
}

document.addEventListener("click", (event) => {
  const button = event.target.closest("button");
  if (!button) return;
  if (button.dataset.copy) {
    event.preventDefault();
    copy(button);
  } else if (button.dataset.add && addName(button)) {
    event.preventDefault();
  } else if (button.dataset.remove !== undefined) {
    event.preventDefault();
    button.closest("li").remove();
  }
});
document.addEventListener("keydown", (event) => {
  // Enter in the field of a new name adds it; it must not send a half-filled form.
  const add = event.key === "Enter" && event.target.dataset && event.target.dataset.enter;
  if (!add) return;
  event.preventDefault();
  document.getElementById(add)?.click();
});

// ---- forms that store something: what is on its way is not sent twice ----
document.addEventListener("submit", (event) => {
  const form = event.target;
  if (form.dataset.once === undefined) return;
  if (form.dataset.once === "sent") event.preventDefault();
  form.dataset.once = "sent";
});
// A page that comes back out of the browser's memory may be sent again.
addEventListener("pageshow", () => {
  for (const form of document.querySelectorAll("form[data-once]")) form.dataset.once = "";
});

// ---- codes that came in the fragment, which never reaches a server or a log by itself ----
function takeCode() {
  const field = document.querySelector("input[data-fragment]");
  const code = decodeURIComponent(location.hash.slice(1));
  if (!field || code === "") return;
  history.replaceState(null, "", location.pathname + location.search);
  field.value = code;
  if (field.dataset.fragment === "send") field.form.requestSubmit();
}

// ---- parts that change: fetched anew and put in place, only while somebody looks ----
let fetching = false;
// Something changed while the page was being fetched: that answer may be older.
let again = false;
const seen = new WeakMap();
async function refresh() {
  if (fetching) again = true;
  if (fetching || document.hidden) return;
  fetching = true;
  again = false;
  try {
    const answer = await fetch(location.href, { headers: { accept: "text/html" }, credentials: "same-origin" });
    if (answer.ok && !answer.redirected) replaceParts(await answer.text());
  } catch {
    // The server is away for a moment; the next event or tick tries again.
  } finally {
    fetching = false;
    if (again) refresh();
  }
}
function replaceParts(html) {
  const fresh = new DOMParser().parseFromString(html, "text/html");
  for (const part of document.querySelectorAll("[data-live]")) {
    const next = fresh.getElementById(part.id);
    if (!next || part.contains(document.activeElement)) continue;
    if (next.dataset.live !== part.dataset.live || next.innerHTML !== seen.get(part)) {
      seen.set(part, next.innerHTML);
      part.replaceChildren(...next.childNodes);
      part.dataset.live = next.dataset.live;
      localTimes(part);
    }
  }
  follow();
}

// ---- jobs: followed by server-sent events; data-live holds the ids of those that run ----
const streams = new Map();
function jobsShown() {
  const ids = [...document.querySelectorAll("[data-live]")].flatMap((part) => part.dataset.live.split(" "));
  return new Set(ids.filter(Boolean));
}
function follow() {
  const wanted = document.hidden ? new Set() : jobsShown();
  for (const [id, source] of streams) {
    if (!wanted.has(id)) { source.close(); streams.delete(id); }
  }
  for (const id of [...wanted].slice(0, 4)) {
    if (!streams.has(id)) streams.set(id, stream(id));
  }
}
function stream(id) {
  const source = new EventSource("/api/v1/jobs/" + encodeURIComponent(id) + "/events");
  const later = () => { clearTimeout(source.later); source.later = setTimeout(refresh, 150); };
  source.onmessage = later;
  source.addEventListener("progress", later);
  source.addEventListener("end", () => { source.close(); later(); });
  return source;
}

document.addEventListener("visibilitychange", () => {
  follow();
  if (!document.hidden && document.querySelector("[data-live]")) refresh();
});

localTimes(document);
takeCode();
// The link that the server printed, pasted where its page is open already, loads nothing anew.
addEventListener("hashchange", takeCode);
follow();
document.querySelector(".finding[role=alert]")?.focus();
