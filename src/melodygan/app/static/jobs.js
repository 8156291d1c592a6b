// The queue as this visitor sees it: each job is a card in its page, the newest first.
import { get, post } from "./api.js";
import { $, act, compare, el, say, seconds, sound } from "./ui.js";

const cards = new Map();
const listeners = new Set();
const past = [];
let timer = null;

// Called with each job that is over, once, the oldest first.
export function whenOver(listener) {
  past.forEach(listener);
  listeners.add(listener);
}

export async function add(deed, wish) {
  const job = await post(`/api/jobs/${deed}`, wish);
  show(job);
  follow();
  return job;
}

export async function follow() {
  clearTimeout(timer);
  try {
    const { jobs } = await get("/api/jobs");
    for (const job of [...jobs].reverse()) show(job);
    if (jobs.some((job) => !over(job))) timer = setTimeout(follow, 500);
  } catch (error) {
    say(error);
    timer = setTimeout(follow, 3000);
  }
}

const over = (job) => ["done", "failed", "cancelled"].includes(job.state);

function show(job) {
  const place = $(`.jobs[data-deed=${job.deed}]`);
  let card = cards.get(job.id);
  if (!card) {
    card = { box: el("article", { class: "job" }), state: "" };
    cards.set(job.id, card);
    place.prepend(card.box);
  }
  if (card.state === "forgotten") return;
  if (!over(job)) progress(card, job);
  else if (card.state !== job.state) {
    ended(card, job);
    past.push(job);
    for (const listener of listeners) listener(job);
  }
  card.state = job.state;
}

function title(job) {
  const wish = job.wish;
  if (job.deed === "convert") return `${wish.name} into ${wish.target}`;
  if (job.deed === "check") return wish.folder ? "The folder" : `${wish.songs.length} file${wish.songs.length > 1 ? "s" : ""}`;
  if (job.deed === "explore") return `${wish.label}, clip ${wish.clip}`;
  const of = wish.label || "music";
  if (wish.how === "continue") return `${wish.name}, and more of ${of}`;
  if (wish.how === "vary") return `${wish.name}, played otherwise`;
  return `${wish.count > 1 ? `${wish.count} pieces of ` : ""}${of}, seed ${wish.seed}`;
}

function progress(card, job) {
  const waiting = job.state === "waiting";
  const told = waiting
    ? job.ahead
      ? `waits for ${job.ahead} other${job.ahead > 1 ? "s" : ""}`
      : "is next"
    : `${job.doing} … ${Math.round(100 * job.share)} %`;
  if (!card.bar) {
    card.bar = el("progress", { class: "wide", max: 1, "aria-label": `Progress: ${title(job)}` });
    card.told = el("span", { class: "soft" });
    const cancel = el("button", { class: "small", text: "Cancel", "aria-label": `Cancel: ${title(job)}` });
    cancel.addEventListener("click", () =>
      act(cancel, async () => {
        show(await post(`/api/cancel/${job.id}`));
      }),
    );
    card.box.replaceChildren(el("p", {}, el("b", { text: title(job) }), " ", card.told), cancel, card.bar);
  }
  card.told.textContent = told;
  if (waiting) card.bar.removeAttribute("value");
  else card.bar.value = job.share;
}

function ended(card, job) {
  card.bar = null;
  const forget = el("button", { class: "small", text: "Remove", "aria-label": `Remove: ${title(job)}` });
  forget.addEventListener("click", () =>
    act(forget, async () => {
      await post(`/api/forget/${job.id}`);
      card.state = "forgotten";
      card.box.remove();
    }),
  );
  const told = { done: `in ${seconds(job.seconds)}`, cancelled: "cancelled", failed: "" }[job.state];
  const head = el("p", { role: "status" }, el("b", { text: title(job) }), " ", el("span", { class: "soft", text: told }));
  card.box.replaceChildren(head, el("div", { class: "tools" }, forget));
  if (job.state === "failed") card.box.append(el("p", { class: "wide problem", text: job.failed }));
  if (job.state === "done") card.box.append(result(job));
}

function result(job) {
  const files = job.result.files.map((file) => ({ ...file, src: `/api/results/${file.id}` }));
  const box = el("div", { class: "wide" });
  if (job.deed === "convert") {
    box.append(compare(files.map((file) => [file.title, file.src])));
    const level = job.result.level;
    const told = level === null ? "The two are not equally loud." : `Both at ${level} LUFS.`;
    box.append(el("p", { class: "soft", text: told }), save(files[1]));
    return box;
  }
  if (job.deed === "check") return verdicts(job.result);
  const items = files.map((file) => el("li", {}, el("span", { class: "soft", text: file.title }), sound(file.src, file.title), save(file)));
  box.append(el("ul", {}, ...items));
  return box;
}

function save(file) {
  return el("a", { href: `${file.src}?download`, download: true, text: "Save as WAV", "aria-label": `Save as WAV: ${file.title}` });
}

function verdicts(result) {
  const rows = result.rows.map((row) =>
    el(
      "tr",
      {},
      el("td", {}, el("bdi", { text: row.file })),
      row.rejected ? el("td", { class: "bad", text: row.rejected }) : el("td", { text: `${seconds(row.seconds)} of ${seconds(row.before)} can be used` }),
    ),
  );
  const head = el("thead", {}, el("tr", {}, el("th", { text: "File", scope: "col" }), el("th", { text: "What becomes of it", scope: "col" })));
  return el("div", { class: "wide overflow" }, el("p", { text: result.said[0] }), el("table", {}, head, el("tbody", {}, ...rows)));
}
