// What the pipeline has made.
import { get } from "./api.js";
import { $, el, sound } from "./ui.js";

const SHOWN = 6; // clips of a kind before one asks for all

export async function listen() {
  const place = $("#gallery");
  let found;
  try {
    found = await get("/api/listen");
  } catch (error) {
    place.replaceChildren(el("p", { class: "problem", text: error.message }));
    place.setAttribute("aria-busy", "false");
    return;
  }
  $("#report-link").hidden = !found.report;
  const state = JSON.stringify(found);
  if (place.dataset.state === state) return; // what plays goes on
  place.dataset.state = state;
  place.replaceChildren(...found.models.flatMap(model));
  place.setAttribute("aria-busy", "false");
}

function model(one) {
  const pieces = [el("h2", { text: one.name })];
  if (one.about) pieces.push(el("p", { text: `${one.about}.` }));
  if (one.verdict) pieces.push(el("p", { class: "verdict", text: one.verdict.slice(one.verdict.indexOf(": ") + 2) }));
  for (const kind of one.kinds) {
    pieces.push(el("h3", { text: kind.title }));
    const figures = kind.clips.map((clip, index) => figure(one.name, clip, index));
    pieces.push(el("div", { class: "thirds" }, ...figures.slice(0, SHOWN)));
    if (figures.length > SHOWN) {
      const rest = el("div", { class: "thirds" }, ...figures.slice(SHOWN));
      pieces.push(el("details", {}, el("summary", { text: `${figures.length - SHOWN} more` }), rest));
    }
  }
  return pieces;
}

function figure(name, clip, index) {
  const what = clip.track ? clip.track : `clip ${index + 1}`;
  const goal = clip.track && clip.source !== clip.label ? `${clip.source} to ${clip.label}` : clip.label;
  const caption = el("figcaption", {}, el("b", {}, el("bdi", { text: what })));
  if (goal) caption.append(", ", el("bdi", { text: goal }));
  const box = el("figure", {}, caption);
  const place = `/api/clips/${clip.id}`;
  if (clip.picture) box.append(el("img", { src: `${place}/picture`, alt: `Spectrogram of ${what} by ${name}`, loading: "lazy" }));
  if (clip.real) box.append(el("span", { class: "heard", text: "the real one" }), sound(`${place}/real`, `${what}, real`));
  if (clip.real) box.append(el("span", { class: "heard", text: `by ${name}` }));
  box.append(sound(`${place}/sound`, `${what} by ${name}${goal ? `, ${goal}` : ""}`));
  return box;
}
