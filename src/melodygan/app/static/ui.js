// Small pieces that several pages are made of.
import { upload } from "./api.js";

export const $ = (selector, within = document) => within.querySelector(selector);

// An element with properties (text, class, on-handlers, attributes) and children.
export function el(tag, properties = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name === "text") made.textContent = value;
    else if (name === "class") made.className = value;
    else if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
    else if (value === true) made.setAttribute(name, "");
    else if (value !== false && value != null) made.setAttribute(name, value);
  }
  made.append(...children);
  return made;
}

export function say(error) {
  const place = $("#trouble");
  place.textContent = error ? error.message || String(error) : "";
  place.hidden = !error;
  if (error) place.scrollIntoView({ block: "nearest" });
}

// Run what a button does; a refusal is shown, and nothing can be pressed twice meanwhile.
export async function act(button, work) {
  say(null);
  button.disabled = true;
  try {
    return await work();
  } catch (error) {
    say(error);
  } finally {
    button.disabled = false;
  }
}

export function sound(id, title) {
  return el("audio", { controls: true, preload: "none", src: id, "aria-label": title });
}

export function seconds(value) {
  if (value < 90) return `${value < 10 ? value.toFixed(1) : Math.round(value)} s`;
  const minutes = Math.round(value / 60);
  return minutes < 90 ? `${minutes} min` : `${(value / 3600).toFixed(1)} h`;
}

export function options(select, pairs, chosen) {
  const before = chosen ?? select.value;
  select.replaceChildren(...pairs.map(([value, text]) => el("option", { value, text })));
  if (pairs.some(([value]) => String(value) === String(before))) select.value = before;
}

// Every slider says its value.
export function outputs(form) {
  for (const range of form.querySelectorAll(".joined input[type=range]")) {
    const show = () => (range.nextElementSibling.textContent = Number(range.value).toFixed(2));
    range.addEventListener("input", show);
    show();
  }
}

// One player for several sounds: switching keeps the place, so that one compares at that very note.
export function compare(named) {
  const name = `c${Math.random().toString(36).slice(2)}`;
  const audio = el("audio", { controls: true, preload: "metadata", "aria-label": named.map(([text]) => text).join(" or ") });
  audio.src = named.at(-1)[1];
  const choose = (source) => {
    const at = audio.currentTime;
    const playing = !audio.paused;
    audio.src = source;
    audio.addEventListener(
      "loadedmetadata",
      () => {
        audio.currentTime = Math.min(at, audio.duration || 0);
        if (playing) audio.play();
      },
      { once: true },
    );
    audio.load();
  };
  const radios = named.map(([text, source], index) =>
    el(
      "label",
      { class: "inline" },
      el("input", { type: "radio", name, checked: index === named.length - 1, onchange: () => choose(source) }),
      text,
    ),
  );
  return el("div", {}, el("div", { class: "compare", role: "radiogroup", "aria-label": "What you hear" }, ...radios), audio);
}

// A place to drop files or to choose them; `files()` uploads and gives {id, name} of each.
export function drop(place, text, multiple = false) {
  const input = el("input", { type: "file", accept: "audio/*,video/*,.flac,.opus,.m4a", multiple });
  const told = el("p", { class: "soft", role: "status" });
  const box = el("div", { class: "drop" }, el("label", {}, text, input), told);
  let chosen = [];
  let known = [];
  const take = (list, dropped) => {
    chosen = [...list].slice(0, multiple ? 40 : 1);
    known = [];
    const left = list.length - chosen.length;
    told.textContent = dropped ? chosen.map((file) => file.name).join(", ") : "";
    if (left) told.textContent += ` Only the first ${chosen.length}: ${left} more are left out.`;
    if (dropped) input.value = "";
    box.dispatchEvent(new Event("input", { bubbles: true })); // the command line shows its name
  };
  input.addEventListener("change", () => take(input.files, false));
  box.addEventListener("dragover", (event) => {
    event.preventDefault();
    box.classList.add("over");
  });
  box.addEventListener("dragleave", () => box.classList.remove("over"));
  box.addEventListener("drop", async (event) => {
    event.preventDefault();
    box.classList.remove("over");
    const entries = [...event.dataTransfer.items].map((item) => item.webkitGetAsEntry()).filter(Boolean);
    take((await Promise.all(entries.map(within))).flat(), true);
  });
  place.append(box);
  return {
    names: () => chosen.map((file) => file.name),
    files: async () => {
      for (const file of chosen.slice(known.length)) {
        const share = (part) => (told.textContent = `Sending ${file.name}: ${Math.round(100 * part)} %`);
        known.push(await upload(file, share));
      }
      if (known.length) told.textContent = `Sent: ${known.map((file) => file.name).join(", ")}`;
      return known;
    },
  };
}

// All files of what was dropped, a file or a folder.
async function within(entry) {
  if (entry.isFile) return [await new Promise((resolve, reject) => entry.file(resolve, reject))];
  const reader = entry.createReader();
  const found = [];
  for (;;) {
    const some = await new Promise((resolve, reject) => reader.readEntries(resolve, reject));
    if (!some.length) break;
    found.push(...some.filter((one) => !one.name.startsWith(".")));
  }
  return (await Promise.all(found.map(within))).flat();
}

const SVG = "http://www.w3.org/2000/svg";
function svg(tag, attributes, text) {
  const made = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  if (text) made.textContent = text;
  return made;
}

// A curve over steps; `table` has columns of equal length.
export function curve(table, column, title, second = false) {
  const steps = table.step || [];
  const points = (table[column] || []).map((y, i) => [steps[i], y]).filter(([, y]) => y !== null);
  if (points.length < 2) return null;
  const [width, height, left, top, bottom] = [420, 130, 52, 14, 24];
  const values = points.map(([, y]) => y);
  const [low, high] = [Math.min(...values), Math.max(...values)];
  const [first, last] = [points[0][0], points.at(-1)[0]];
  const x = (step) => left + ((step - first) / (last - first || 1)) * (width - left - 8);
  const y = (value) => top + (1 - (value - low) / (high - low || 1)) * (height - top - bottom);
  const short = (value) => Number(value.toPrecision(3)).toString();
  const made = svg("svg", { class: "curve", viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": `${title}, now ${short(values.at(-1))}` });
  for (const value of [low, high]) {
    made.append(svg("line", { x1: left, x2: width - 8, y1: y(value), y2: y(value) }));
    made.append(svg("text", { x: left - 6, y: y(value) + 4, "text-anchor": "end" }, short(value)));
  }
  const line = points.map(([step, value], i) => `${i ? "L" : "M"}${x(step).toFixed(1)} ${y(value).toFixed(1)}`).join("");
  made.append(svg("path", { d: line, class: second ? "second" : "" }));
  made.append(svg("text", { x: left, y: height - 6 }, title));
  made.append(svg("text", { x: width - 8, y: height - 6, "text-anchor": "end" }, `step ${last}`));
  return made;
}

// Only one sound at a time.
document.addEventListener(
  "play",
  (event) => {
    for (const audio of document.querySelectorAll("audio")) if (audio !== event.target) audio.pause();
  },
  true,
);
