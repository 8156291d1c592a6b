// Music without end: 16 bit samples that arrive as they are made, played one piece after another.
import { get, post } from "./api.js";
import { quoted } from "./generate.js";
import { $, act, options, outputs, say, seconds } from "./ui.js";

const LEAD = 0.08; // s between the first piece and its sound
const AGAIN = 1.0; // s that are gathered after a gap
let playing = null;

export async function live({ first, inventory }) {
  if (!first) return;
  const form = $("#live-form");
  const fields = form.elements;
  outputs(form);
  const found = await inventory();
  const players = found.samplers.filter((model) => model.endless);
  if (!players.length) throw new Error("no trained model plays without end: run `dvc repro latent_prior`");
  const change = () => {
    options(fields.model, players.map((model) => [model.name, model.name]));
    const model = players.find((one) => one.name === fields.model.value);
    options(fields.label, [["", "any"], ...model.labels.map((label) => [label, label])]);
    fields.temperature.disabled = !model.tempered;
    $(".command", form).textContent = command(fields);
  };
  change();
  form.addEventListener("input", change);
  form.addEventListener("change", () => playing && post(`/api/live/${playing.id}`, wish(fields)).catch(say));
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    act($("#live-button"), async () => (playing ? playing.stop() : start(fields)));
  });
}

function wish(fields) {
  return {
    model: fields.model.value,
    label: fields.label.value || null,
    temperature: fields.temperature.disabled ? null : Number(fields.temperature.value),
    seed: Number(fields.seed.value),
  };
}

async function start(fields) {
  const context = new AudioContext();
  await context.resume();
  $("#live-status").textContent = "The model is getting ready …";
  let session;
  try {
    session = await post("/api/live", wish(fields));
  } catch (error) {
    context.close();
    $("#live-status").textContent = "Silent.";
    throw error;
  }
  playing = new Playing(session, context);
  fields.model.disabled = fields.seed.disabled = true;
  $("#live-button").textContent = "Stop";
  playing.run().catch(say).finally(() => {
    playing = null;
    fields.model.disabled = fields.seed.disabled = false;
    $("#live-button").textContent = "Play";
  });
}

class Playing {
  constructor(session, context) {
    this.id = session.id;
    this.rate = session.rate;
    this.context = context;
    this.analyser = context.createAnalyser();
    this.analyser.fftSize = 2048;
    this.analyser.connect(context.destination);
    this.next = 0; // when what has arrived so far will have been heard, s of the context's clock
    this.gaps = 0;
    this.heard = 0;
    this.held = []; // pieces that wait after a gap
    this.abort = new AbortController();
    window.melodyganLive = this; // for whoever looks from outside, such as a test
  }

  stop() {
    this.abort.abort();
    return post(`/api/live/${this.id}/stop`).catch(() => {}); // it may have ended by itself
  }

  async run() {
    const asked = performance.now();
    const watch = setInterval(() => this.look(), 1000);
    const drawing = setInterval(() => this.draw(), 60);
    try {
      const response = await fetch(`/api/live/${this.id}/sound`, { signal: this.abort.signal });
      if (!response.ok) throw new Error("the music does not start: try again");
      const reader = response.body.getReader();
      let rest = new Uint8Array(0);
      for (;;) {
        const { done, value } = await reader.read();
        if (done) break;
        const bytes = new Uint8Array(rest.length + value.length);
        bytes.set(rest);
        bytes.set(value, rest.length);
        const whole = bytes.length - (bytes.length % 2);
        rest = bytes.slice(whole);
        if (!this.heard) this.wait = (performance.now() - asked) / 1000;
        this.play(new Int16Array(bytes.buffer.slice(0, whole)));
      }
    } catch (error) {
      if (error.name !== "AbortError") throw error;
    } finally {
      clearInterval(watch);
      clearInterval(drawing);
      await this.context.close();
      $("#scope path").setAttribute("d", "M0 45H600");
      $("#live-status").textContent = `Silent, after ${seconds(this.heard)} of music.`;
    }
  }

  play(samples) {
    if (!samples.length) return;
    const now = this.context.currentTime;
    if (this.next && now > this.next && !this.held.length) this.gaps += 1;
    if (now > this.next) {
      this.held.push(samples);
      const gathered = this.held.reduce((sum, piece) => sum + piece.length, 0) / this.rate;
      if (this.next && gathered < AGAIN) return;
      this.next = now + LEAD;
      for (const piece of this.held.splice(0)) this.schedule(piece);
    } else this.schedule(samples);
  }

  schedule(samples) {
    const buffer = this.context.createBuffer(1, samples.length, this.rate);
    const channel = buffer.getChannelData(0);
    for (let i = 0; i < samples.length; i++) channel[i] = samples[i] / 32768;
    const source = this.context.createBufferSource();
    source.buffer = buffer;
    source.connect(this.analyser);
    source.start(this.next);
    this.next += buffer.duration;
    this.heard += buffer.duration;
  }

  async look() {
    const told = await get(`/api/live/${this.id}`).catch(() => null);
    if (!told || this.abort.signal.aborted) return;
    const slow = told.speed && told.speed < 1;
    $("#live-speed").textContent = told.speed ? told.speed.toFixed(1) : "–";
    $("#live-heard").textContent = seconds(this.heard);
    $("#live-gaps").textContent = this.gaps;
    const of = told.label || "music of any style";
    $("#live-status").textContent = slow
      ? `Playing ${of}. This machine is too slow: it makes ${told.speed.toFixed(2)} s of music in a second, so there will be gaps.`
      : this.heard
        ? `Playing ${of}.`
        : "The model is getting ready …";
  }

  draw() {
    const values = new Float32Array(600);
    this.analyser.getFloatTimeDomainData(values);
    const points = [];
    const loudest = values.reduce((most, value) => Math.max(most, Math.abs(value)), 0.05);
    this.scale = Math.min(42 / loudest, (this.scale ?? 42) * 1.02); // follows loud sounds at once
    for (let x = 0; x < 600; x += 3) points.push(`${x ? "L" : "M"}${x} ${(45 - this.scale * values[x]).toFixed(1)}`);
    $("#scope path").setAttribute("d", points.join(""));
  }
}

function command(fields) {
  const parts = ["uv run melodygan play --steer", `--model ${fields.model.value}`];
  if (fields.label.value) parts.push(`--label ${quoted(fields.label.value)}`);
  if (!fields.temperature.disabled) parts.push(`--temperature ${fields.temperature.value}`);
  return [...parts, `--seed ${fields.seed.value} | ffplay -nodisp -`].join(" ");
}
