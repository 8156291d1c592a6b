// Walks from a clip of the training data; what was heard stays at hand, two of it side by side.
import { quoted } from "./generate.js";
import { add, whenOver } from "./jobs.js";
import { $, act, compare, el, options, outputs } from "./ui.js";

const heard = []; // newest first

export async function explore({ first, inventory }) {
  if (!first) return;
  const form = $("#explore-form");
  const fields = form.elements;
  outputs(form);
  whenOver((job) => job.deed === "explore" && job.state === "done" && take(form, job));
  const found = await inventory();
  if (!found.models.includes("vqvae")) throw new Error("there is no VQ-VAE to explore: run `dvc repro vqvae`");
  options(fields.label, found.labels.map((label) => [label, label]));
  const change = () => {
    fields.blend.disabled = fields.other.value === "";
    $(".command", form).textContent = command(fields, moves());
  };
  form.addEventListener("input", change);
  fields.label.addEventListener("change", () => {
    options(fields.clip, [[0, "0"]], 0);
    options(fields.other, [["", "no other"]], "");
    $("#directions").replaceChildren(el("p", { class: "soft", text: "They appear with the first sound." }));
    change();
  });
  $("#centre").addEventListener("click", () => {
    for (const range of $("#directions").querySelectorAll("input")) {
      range.value = 0;
      range.dispatchEvent(new Event("input", { bubbles: true }));
    }
  });
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    act(event.submitter ?? $("button.primary", form), () =>
      add("explore", {
        label: fields.label.value,
        clip: Number(fields.clip.value),
        other: fields.other.value === "" ? null : Number(fields.other.value),
        blend: Number(fields.blend.value),
        moves: moves(),
      }),
    );
  });
  change();
}

function moves() {
  return [...$("#directions").querySelectorAll("input")].map((range) => Number(range.value));
}

// The ways and the clips that there are, and the newest sound beside the one before.
function take(form, job) {
  const fields = form.elements;
  const { clips, directions, files } = job.result;
  if (job.wish.label === fields.label.value && !$("#directions input")) {
    const named = clips.map((name, index) => [index, `${index}: ${name}`]);
    options(fields.clip, named, job.wish.clip);
    options(fields.other, [["", "no other"], ...named], job.wish.other ?? "");
    $("#directions").replaceChildren(...directions.map((way, index) => slider(way, index, job.wish.moves[index] ?? 0)));
    outputs($("#directions"));
  }
  heard.unshift([files[0].title, `/api/results/${files[0].id}`]);
  if (heard.length < 2) return;
  const pick = (index) => el("select", { "aria-label": `Sound ${"BA"[index]}` });
  const [newer, older] = [pick(0), pick(1)];
  const pairs = heard.map(([text], index) => [index, text]);
  options(older, pairs, 1);
  options(newer, pairs, 0);
  const player = el("div");
  const show = () => player.replaceChildren(compare([["A", heard[older.value][1]], ["B", heard[newer.value][1]]]));
  older.addEventListener("change", show);
  newer.addEventListener("change", show);
  show();
  const box = $("#ab");
  box.replaceChildren(
    el("div", { class: "fields" }, el("label", {}, "A ", older), el("label", {}, "B ", newer)),
    player,
  );
  box.hidden = false;
}

function slider(way, index, value) {
  const share = Math.round(100 * way.share);
  const range = el("input", { type: "range", min: -3, max: 3, step: 0.25, value });
  return el("label", {}, `${index + 1}: ${way.words}`, el("span", { class: "joined" }, range, el("output")), el("small", { text: `${share} % of how they differ` }));
}

function command(fields, by) {
  const parts = ["uv run melodygan explore", `--label ${quoted(fields.label.value)}`, `--clip ${fields.clip.value}`];
  if (fields.other.value !== "") parts.push(`--to ${fields.other.value} --blend ${fields.blend.value}`);
  if (by.some((move) => move)) parts.push(`--move=${by.join(",")}`);
  return [...parts, "-o OUT.wav"].join(" ");
}
