
// Asks for this page again every few seconds and replaces only the parts that have changed, so that
// nothing flickers and the part that is being read stays in its place.
"use strict";
const EVERY = 3000;  // milliseconds between two requests; none while the page is hidden
const PARTS = "nav, main > *";

const bar = document.getElementById("live");
const key = (part) => part.id || part.localName;
const parts = (page) => new Map([...page.querySelectorAll(PARTS)].map((part) => [key(part), part]));
const sources = (page) => new Map([...parts(page)].map(([name, part]) => [name, part.outerHTML]));
let seen = sources(document);
let version = bar.dataset.version;
let changed = performance.now() - 1000 * bar.dataset.age;
let lost = "";

function say() {
  const seconds = Math.round((performance.now() - changed) / 1000);
  const [count, unit] = seconds < 100 ? [seconds, "s"]
    : seconds < 6000 ? [Math.round(seconds / 60), "min"] : [Math.round(seconds / 3600), "h"];
  document.getElementById("age").textContent = lost || `changed ${count} ${unit} ago`;
  bar.classList.toggle("lost", lost !== "");
}

async function look() {
  const answer = await fetch(location.pathname, {
    cache: "no-store", headers: {"If-None-Match": version},
  }).catch(() => null);
  lost = "";
  if (answer === null) {
    lost = "no answer: the master has ended or cannot be reached; a finished run has report/report.html";
  } else if (answer.status === 200) {
    // Without its styles, which are here already: their mark is that of another answer, and the
    // browser would complain about them.
    const text = (await answer.text()).replace(/<style.*?<\/style>/gs, "");
    await show(new DOMParser().parseFromString(text, "text/html"));
  } else if (answer.status !== 304) {
    lost = await answer.text();
  }
}

async function show(page) {
  const next = page.getElementById("live"), fresh = parts(page), wanted = sources(page);
  if (fresh.has("nav") !== seen.has("nav")) return location.reload();  // the first report is there
  const altered = [...fresh].filter(([name]) => seen.get(name) !== wanted.get(name));
  const images = altered.flatMap(([, part]) => [...document.adoptNode(part).querySelectorAll("img")]);
  await Promise.all(images.map((image) => image.decode().catch(() => null)));
  stay(() => put(fresh, new Map(altered)));
  bar.replaceChildren(...next.childNodes);
  version = next.dataset.version;
  changed = performance.now() - 1000 * next.dataset.age;
  seen = wanted;
}

function put(fresh, altered) {
  const live = parts(document);
  let before = null;
  for (const [name, part] of fresh) {
    const old = live.get(name), now = old && !altered.has(name) ? old : part;
    if (old && now !== old) {
      old.replaceWith(now);
      keep(old, now);
    } else if (!old) {
      before ? before.after(now) : document.querySelector("main").prepend(now);
    }
    if (name !== "nav") before = now;
  }
  for (const [name, old] of live) if (!fresh.has(name)) old.remove();
}

// Keeps unfolded tables unfolded.
function keep(old, now) {
  for (const box of old.querySelectorAll("details[open] .scroll")) {
    const same = now.querySelector(`.scroll[aria-label="${CSS.escape(box.ariaLabel)}"]`);
    if (same && same.closest("details")) same.closest("details").open = true;
  }
}

// Changes the page without moving the first part that is visible.
function stay(change) {
  const top = bar.offsetHeight;
  const first = [...parts(document)].find(
    ([name, part]) => name !== "nav" && part.getBoundingClientRect().bottom > top);
  const place = first && first[1].getBoundingClientRect().top;
  const atTop = scrollY === 0;
  change();
  const now = first && parts(document).get(first[0]);
  if (now && !atTop) scrollBy({top: now.getBoundingClientRect().top - place, behavior: "instant"});
}

async function follow() {
  if (!document.hidden) await look();
  say();
  setTimeout(follow, EVERY);
}

history.replaceState(null, "", location.pathname + location.hash);  // the secret is in a cookie now
say();
setInterval(say, 1000);
setTimeout(follow, EVERY);
