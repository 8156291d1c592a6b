// Which page shows; each sets itself up when it is first opened.
import { get } from "./api.js";
import { convert } from "./convert.js";
import { data } from "./data.js";
import { explore } from "./explore.js";
import { generate } from "./generate.js";
import { follow } from "./jobs.js";
import { listen } from "./listen.js";
import { live } from "./live.js";
import { train } from "./train.js";
import { $, say } from "./ui.js";

const pages = { listen, generate, live, convert, explore, train, data };
const begun = new Set();
let models = null;

// What the trained models can do; asked for once, since the answer may take seconds.
export function inventory() {
  models ??= get("/api/models").then((found) => {
    if (found.failed) throw new Error(found.failed);
    return found;
  });
  models.catch(() => (models = null));
  return models;
}

async function open() {
  const name = location.hash.slice(1) in pages ? location.hash.slice(1) : "listen";
  say(null);
  for (const section of document.querySelectorAll("main > section")) section.hidden = section.id !== name;
  for (const link of document.querySelectorAll("nav a")) {
    if (link.hash === `#${name}`) {
      link.setAttribute("aria-current", "page");
      link.scrollIntoView({ block: "nearest", inline: "nearest" });
    } else link.removeAttribute("aria-current");
  }
  document.title = `${$(`#${name} h1`).textContent} – MelodyGAN`;
  const first = !begun.has(name);
  begun.add(name);
  try {
    await pages[name]({ first, inventory });
    const button = $(`#${name} button.primary[disabled]`);
    if (first && button && name !== "train") button.disabled = false;
  } catch (error) {
    begun.delete(name);
    say(error);
  }
}

addEventListener("hashchange", () => {
  open();
  $("#content").focus({ preventScroll: true });
  scrollTo(0, 0);
});
open();
follow();
