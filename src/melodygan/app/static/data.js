// Which files could be trained on.
import { quoted } from "./generate.js";
import { add } from "./jobs.js";
import { $, act, drop } from "./ui.js";

export async function data({ first, inventory }) {
  if (!first) return;
  const form = $("#check-form");
  const songs = drop($("#check-songs"), "Drop files or a folder here, or choose some (40 at most)", true);
  form.addEventListener("input", () => {
    const path = form.elements.folder.value || "/path/to/music";
    $(".command", form).textContent = `uv run melodygan check ${quoted(path)}`;
  });
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    act(event.submitter ?? $("button.primary", form), async () => {
      const folder = form.elements.folder.value.trim();
      const files = folder ? [] : await songs.files();
      if (!folder && !files.length) throw new Error("Choose files, or name a folder.");
      await add("check", { songs: files.map((file) => file.id), folder: folder || null });
    });
  });
  // others than this machine may not look into its folders
  $("#check-folder").hidden = !(await inventory().then((found) => found.local, () => true));
}
