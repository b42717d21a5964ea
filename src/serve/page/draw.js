// Drawing: one request at a time, the others wait here, each picture a canvas that fills row by row.
// SPDX-License-Identifier: MIT
import { stream } from "./api.js";
import { keep, tools } from "./gallery.js";
import { $, allIsWell, make, tell } from "./shell.js";

let model = { image_size: 384, image_grid: 24 };
let sendToAsk = () => {};
const waiting = [];
let running = null;

export function setModel(facts) {
  model = facts;
}

function pictureOf(prompt) {
  const canvas = make("canvas", {
    role: "img", "data-testid": "picture", "data-state": "waiting", "data-prompt": prompt, "aria-label": prompt,
    "data-rows": model.image_grid, "data-rows-done": 0, width: model.image_size, height: model.image_size,
  });
  const note = make("small", {}, "waiting");
  const caption = make("figcaption", {}, make("p", {}, prompt), note);
  $("pictures").append(make("figure", {}, canvas, caption));
  return { canvas, note, caption };
}

const bytesOf = (base64) => Uint8Array.from(atob(base64), (c) => c.charCodeAt(0));
const blobOf = (base64) => new Blob([bytesOf(base64)], { type: "image/png" });

// The rows that are there, and nothing over the others; later looks may come out of their order.
async function paint(picture, base64, rows, isWhole) {
  const bitmap = await createImageBitmap(blobOf(base64));
  if (!isWhole && Number(picture.canvas.dataset.rowsDone) >= rows) return;
  const { width, height } = picture.canvas;
  const share = isWhole ? 1 : rows / model.image_grid;
  picture.canvas.getContext("2d").drawImage(bitmap, 0, 0, bitmap.width, bitmap.height * share, 0, 0, width, height * share);
  picture.canvas.dataset.rowsDone = rows;
}

async function finish(work, picture, event) {
  const { canvas, note, caption } = picture;
  picture.over = true;
  const blob = blobOf(event.b64_json);
  await paint(picture, event.b64_json, model.image_grid, true);
  canvas.dataset.seed = event.seed;
  canvas.dataset.state = "done";
  note.textContent = `seed ${event.seed}`;
  const reuse = make("button", {
    type: "button", "data-testid": "reuse-seed", "aria-label": `Use seed ${event.seed} again`, onclick: () => {
      $("seed").value = event.seed;
      $("prompt").value = work.prompt;
      $("prompt").focus();
    },
  }, "Reuse seed");
  caption.append(tools({ blob, url: URL.createObjectURL(blob), prompt: work.prompt, seed: event.seed }, sendToAsk, [reuse]));
  await keep({ blob, prompt: work.prompt, seed: event.seed, guidance: work.guidance, time: Date.now() }, sendToAsk);
}

function end(work, state, words) {
  for (const picture of work.pictures) {
    if (picture.over) continue;
    picture.canvas.dataset.state = state;
    picture.note.textContent = words;
    picture.over = true;
  }
}

function showProgress() {
  const isBusy = running !== null;
  $("cancel").hidden = !isBusy;
  $("draw-status").hidden = !isBusy;
  $("queue").textContent = waiting.length > 0 ? `${waiting.length} waiting` : "";
  if (!isBusy) return;
  const rows = running.pictures.reduce((sum, picture) => sum + (picture.rows ?? 0), 0);
  const share = rows / (running.pictures.length * model.image_grid);
  $("progress").setAttribute("aria-valuenow", Math.round(share * 100));
  $("progress").firstElementChild.style.width = `${share * 100}%`;
  const seconds = (performance.now() - running.begun) / 1000;
  const left = share > 0.05 ? Math.ceil((seconds / share) * (1 - share)) : null;
  $("time-left").textContent = left === null ? "beginning…" : left > 1 ? `about ${left} s left` : "nearly done";
}

async function run(work) {
  work.begun = performance.now();
  const body = {
    prompt: work.prompt, n: work.pictures.length, guidance: work.guidance, stream: true, previews: true,
  };
  if (work.seed !== null) body.seed = work.seed;
  const finished = [];
  try {
    await stream("/v1/images/generations", body, work.abort.signal, (event) => {
      const picture = work.pictures[event.image_index];
      if (event.type === "januspro.preview") {
        if (picture.over) return;
        if (picture.canvas.dataset.state === "waiting") work.begun = Math.max(work.begun, performance.now() - 200);
        picture.rows = event.rows_done;
        picture.canvas.dataset.state = "drawing";
        picture.canvas.dataset.seed = event.seed;
        picture.note.textContent = `row ${event.rows_done} of ${event.rows}`;
        paint(picture, event.b64_json, event.rows_done, false);
      } else if (event.type === "image_generation.completed") {
        picture.rows = model.image_grid;
        finished.push(finish(work, picture, event));
      }
      showProgress();
    });
    await Promise.all(finished);
    end(work, "failed", "the server ended the stream early");
  } catch (error) {
    await Promise.allSettled(finished);
    const cancelled = error.name === "AbortError";
    end(work, cancelled ? "cancelled" : "failed", cancelled ? "cancelled" : "failed");
    tell(error);
  }
}

async function next() {
  if (running !== null || waiting.length === 0) return showProgress();
  running = waiting.shift();
  showProgress();
  await run(running);
  running = null;
  next();
}

function submit(event) {
  event?.preventDefault();
  if (!$("draw-form").reportValidity()) return;
  allIsWell();
  const prompt = $("prompt").value.trim();
  if (prompt === "") return;
  const seed = $("seed").value.trim();
  const pictures = Array.from({ length: Number($("count").value) || 1 }, () => pictureOf(prompt));
  $("draw-empty").hidden = true;
  waiting.push({
    prompt, pictures, seed: seed === "" ? null : Number(seed), guidance: Number($("guidance").value),
    abort: new AbortController(),
  });
  next();
}

function cancel() {
  for (const work of waiting.splice(0)) end(work, "cancelled", "cancelled");
  running?.abort.abort();
  showProgress();
}

export function startDraw(send) {
  sendToAsk = send;
  $("draw-form").addEventListener("submit", submit);
  $("cancel").addEventListener("click", cancel);
  $("prompt").addEventListener("keydown", (event) => {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) submit(event);
  });
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape") cancel();
  });
}
