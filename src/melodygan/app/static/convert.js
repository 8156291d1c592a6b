// A song in another style, or one stem of it.
import { quoted } from "./generate.js";
import { add } from "./jobs.js";
import { $, act, drop, options, outputs } from "./ui.js";

export async function convert({ first, inventory }) {
  if (!first) return;
  const form = $("#convert-form");
  const fields = form.elements;
  const song = drop($("#convert-song"), "A song, up to 20 minutes");
  outputs(form);
  const { directions } = await inventory();
  if (!directions.length) throw new Error("no trained model converts anything: run `dvc repro cyclegan`");
  const text = (way) => (way.stem ? `${way.to} alone` : `${way.to} (from ${way.from})`);
  options(fields.direction, directions.map((way, index) => [index, text(way)]));
  const way = () => directions[Number(fields.direction.value)];
  const change = () => {
    fields.keep_vocals.disabled = way().stem;
    const parts = ["uv run melodygan convert", quoted(song.names()[0] || "SONG"), `--to ${quoted(way().to)}`, `--from ${quoted(way().from)}`];
    if (fields.strength.value !== "1") parts.push(`--strength ${fields.strength.value}`);
    if (fields.keep_vocals.checked && !way().stem) parts.push("--keep-vocals");
    $(".command", form).textContent = [...parts, "-o OUT.wav"].join(" ");
  };
  form.addEventListener("input", change);
  form.addEventListener("change", change);
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    act(event.submitter ?? $("button.primary", form), async () => {
      const [file] = await song.files();
      if (!file) throw new Error("Choose a song first.");
      await add("convert", {
        song: file.id,
        source: way().from,
        target: way().to,
        strength: Number(fields.strength.value),
        keep_vocals: fields.keep_vocals.checked && !way().stem,
      });
    });
  });
  change();
}
