// New music, or a song carried on or played otherwise.
import { add } from "./jobs.js";
import { $, act, drop, options, outputs } from "./ui.js";

export async function generate({ first, inventory }) {
  if (!first) return;
  const form = $("#generate-form");
  const fields = form.elements;
  const song = drop($("#generate-song"), "The song");
  outputs(form);
  const found = await inventory();
  if (!found.samplers.length) throw new Error("no trained model invents music: run `dvc repro`");
  const how = () => new FormData(form).get("how");
  const able = () =>
    found.samplers.filter((model) => (how() === "continue" ? model.endless : how() === "vary" ? model.varies : true));

  const change = () => {
    options(fields.model, able().map((model) => [model.name, model.name]));
    const model = able().find((one) => one.name === fields.model.value) ?? { labels: [] };
    options(fields.label, [["", "any"], ...model.labels.map((label) => [label, label])]);
    fields.temperature.disabled = !model.tempered;
    fields.seconds.disabled = !model.endless || how() === "vary";
    $("#generate-song").hidden = !how();
    $("#generate-vary").hidden = how() !== "vary";
    $(".command", form).textContent = command(form, how(), song.names()[0]);
  };
  for (const radio of $("#generate-how").querySelectorAll("input[type=radio]"))
    radio.disabled =
      (radio.value === "continue" && !found.samplers.some((model) => model.endless)) ||
      (radio.value === "vary" && !found.samplers.some((model) => model.varies));
  form.addEventListener("input", change);
  form.addEventListener("change", change);
  $("#dice").addEventListener("click", () => {
    fields.seed.value = Math.floor(Math.random() * 1e6);
    change();
  });
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    act(event.submitter ?? $("button.primary", form), async () => {
      const wish = {
        model: fields.model.value,
        label: fields.label.value || null,
        seconds: fields.seconds.disabled ? null : Number(fields.seconds.value),
        seed: Number(fields.seed.value),
        temperature: fields.temperature.disabled ? null : Number(fields.temperature.value),
        count: Number(fields.count.value),
      };
      if (how()) {
        const [file] = await song.files();
        if (!file) throw new Error("Choose the song first.");
        wish.song = file.id;
        wish.how = how();
        if (how() === "vary") {
          wish.strength = Number(fields.strength.value);
          wish.keep_vocals = fields.keep_vocals.checked;
        }
      }
      await add("generate", wish);
    });
  });
  change();
}

function command(form, how, song) {
  const fields = form.elements;
  const parts = ["uv run melodygan generate", `--model ${fields.model.value}`];
  if (fields.label.value) parts.push(`--label ${quoted(fields.label.value)}`);
  if (how === "continue") parts.push(`--continue ${quoted(song || "SONG")}`);
  if (how === "vary") parts.push(`--variation ${quoted(song || "SONG")} --strength ${fields.strength.value}`);
  if (how === "vary" && fields.keep_vocals.checked) parts.push("--keep-vocals");
  if (!fields.seconds.disabled) parts.push(`--seconds ${fields.seconds.value}`);
  parts.push(`--seed ${fields.seed.value}`);
  if (!fields.temperature.disabled) parts.push(`--temperature ${fields.temperature.value}`);
  if (fields.count.value > 1) parts.push(`-n ${fields.count.value}`);
  return [...parts, "-o OUT/"].join(" ");
}

export function quoted(text) {
  return /^[\w.\/-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;
}
