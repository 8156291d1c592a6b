// Training: what runs, how far each model is, and how it came out.
import { get, post } from "./api.js";
import { $, act, curve, el, say, seconds } from "./ui.js";

const cards = new Map();
let timer = null;

export async function train({ first }) {
  if (first) {
    $("#train-all").addEventListener("click", (event) => act(event.target, () => begin(null)));
    $("#train-stop").addEventListener("click", (event) => act(event.target, () => post("/api/train/stop").then(look)));
  }
  await look();
}

async function begin(stage) {
  await post("/api/train/start", { stage });
  $("#train-command").textContent = `uv run dvc repro${stage ? ` ${stage}` : ""}`;
  await look();
}

async function look() {
  clearTimeout(timer);
  if ($("#train").hidden) return;
  const told = await get("/api/train");
  const ended = { stopped: "Stopped: start it again to go on.", failed: "It failed: see what it says.", ended: "All of it is up to date.", "": "Nothing runs." };
  const now = told.stage ? `Working on ${told.stage} …` : "Looking at what is to be done …";
  const stopping = "Stopping as soon as its state is saved …";
  $("#train-status").textContent = told.stopping ? stopping : told.running ? now : ended[told.ended];
  $("#train-stop").textContent = told.stopping ? "Stop at once" : "Stop";
  $("#train-stop").disabled = !told.running;
  $("#train-all").disabled = told.running;
  $("#train-lines").textContent = told.lines.join("\n");
  for (const stage of told.stages) show(stage, told.running);
  timer = setTimeout(() => look().catch(say), told.running ? 1500 : 6000);
}

function show(stage, running) {
  let card = cards.get(stage.name);
  if (!card) {
    const start = el("button", { class: "small", text: "Train", "aria-label": `Train ${stage.name}` });
    start.addEventListener("click", () => act(start, () => begin(stage.name)));
    card = {
      start,
      state: el("span", { class: "soft" }),
      bar: el("progress", { class: "wide", max: 1, "aria-label": `Progress of ${stage.name}` }),
      verdict: el("p", { class: "wide verdict" }),
      curves: [el("div"), el("div")],
      drawn: "",
    };
    const head = el("div", {}, el("h2", { text: stage.name }), card.state);
    const tools = el("div", { class: "tools" }, start, el("code", { class: "command", text: stage.command }));
    cards.set(stage.name, card);
    $("#stages").append(el("article", { class: "card stage" }, head, tools, card.bar, card.verdict, ...card.curves));
  }
  card.start.disabled = running;
  card.bar.value = stage.steps ? Math.min(stage.step / stage.steps, 1) : 0;
  const told = [`${stage.state}, step ${stage.step} of ${stage.steps}`];
  if (stage.rate) told.push(`${stage.rate.toPrecision(2)} steps/s`, `${seconds(stage.left)} left`);
  card.state.textContent = told.join(", ");
  card.verdict.textContent = stage.verdict.slice(stage.verdict.indexOf(": ") + 2);
  card.verdict.hidden = !stage.verdict;
  const drawn = JSON.stringify([stage.losses, stage.scores]);
  if (drawn === card.drawn) return;
  card.drawn = drawn;
  const names = (table) => Object.keys(table).filter((name) => name !== "step");
  const loss = names(stage.losses).find((name) => name.endsWith("_loss")) ?? names(stage.losses)[0];
  const score = names(stage.scores)[0];
  card.curves[0].replaceChildren(...[curve(stage.losses, loss, loss)].filter(Boolean));
  card.curves[1].replaceChildren(...[curve(stage.scores, score, `${score}, validation`, true)].filter(Boolean));
}
