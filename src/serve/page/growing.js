// Pictures that grow row by row on canvases, and the line in which drawings and edits wait for the
// server: one at a time for each view. SPDX-License-Identifier: MIT
import { stream } from "./api.js";
import { keep, tools } from "./gallery.js";
import { $, make, tell } from "./shell.js";

let model = { image_size: 384, image_grid: 24 };

export function setModel(facts) {
  model = facts;
}

const bytesOf = (base64) => Uint8Array.from(atob(base64), (c) => c.charCodeAt(0));
const blobOf = (base64) => new Blob([bytesOf(base64)], { type: "image/png" });

class Growing {
  constructor(list, testid, prompt) {
    this.canvas = make("canvas", {
      role: "img", "data-testid": testid, "data-state": "waiting", "data-prompt": prompt, "aria-label": prompt,
      "data-rows": model.image_grid, "data-rows-done": 0, width: model.image_size, height: model.image_size,
    });
    this.note = make("small", {}, "waiting");
    this.caption = make("figcaption", {}, make("p", {}, prompt), this.note);
    this.rows = 0;
    this.over = false;
    list.append(make("figure", {}, this.canvas, this.caption));
  }

  // The rows that are there, and nothing over the others; later looks may come out of their order.
  async paint(base64, rows) {
    const bitmap = await createImageBitmap(blobOf(base64));
    const isWhole = rows === model.image_grid;
    if (!isWhole && Number(this.canvas.dataset.rowsDone) >= rows) return;
    const { width, height } = this.canvas;
    const share = rows / model.image_grid;
    this.canvas.getContext("2d").drawImage(bitmap, 0, 0, bitmap.width, bitmap.height * share, 0, 0, width, height * share);
    this.canvas.dataset.rowsDone = rows;
  }

  show(event) {
    if (this.over) return;
    this.rows = event.rows_done;
    this.canvas.dataset.state = "drawing";
    this.canvas.dataset.seed = event.seed;
    this.note.textContent = `row ${event.rows_done} of ${event.rows}`;
    this.paint(event.b64_json, event.rows_done);
  }

  async finish(work, event) {
    this.over = true;
    this.rows = model.image_grid;
    const blob = blobOf(event.b64_json);
    await this.paint(event.b64_json, model.image_grid);
    this.canvas.dataset.seed = event.seed;
    this.canvas.dataset.state = "done";
    this.note.textContent = `seed ${event.seed}`;
    const item = { blob, prompt: work.prompt, seed: event.seed, guidance: work.guidance, time: Date.now() };
    this.caption.append(tools({ ...item, url: URL.createObjectURL(blob) }, work.tools?.(event) ?? []));
    await keep(item);
  }

  end(state, words) {
    if (this.over) return;
    this.over = true;
    this.canvas.dataset.state = state;
    this.note.textContent = words;
  }
}

// Works of one view. Its elements are named NAME-status, NAME-progress, NAME-time-left, NAME-queue,
// NAME-cancel and NAME-empty; finished pictures go to `list`, marked with `testid`.
export class Line {
  #waiting = [];
  #running = null;

  constructor(name, list, testid) {
    this.part = (id) => $(`${name}-${id}`);
    this.list = list;
    this.testid = testid;
    this.part("cancel").addEventListener("click", () => this.cancel());
  }

  // work: {path, body, prompt, guidance, count, tools?: event => buttons}
  add(work) {
    work.pictures = Array.from({ length: work.count }, () => new Growing(this.list, this.testid, work.prompt));
    work.abort = new AbortController();
    this.part("empty").hidden = true;
    this.#waiting.push(work);
    this.#next();
  }

  cancel() {
    for (const work of this.#waiting.splice(0)) work.pictures.forEach((picture) => picture.end("cancelled", "cancelled"));
    this.#running?.abort.abort();
    this.#showProgress();
  }

  async #next() {
    if (this.#running === null && this.#waiting.length > 0) {
      this.#running = this.#waiting.shift();
      this.#showProgress();
      await this.#run(this.#running);
      this.#running = null;
      this.#next();
    }
    this.#showProgress();
  }

  async #run(work) {
    work.begun = performance.now();
    const finished = [];
    const endAll = (state, words) => work.pictures.forEach((picture) => picture.end(state, words));
    try {
      await stream(work.path, { ...work.body, n: work.count, stream: true, previews: true }, work.abort.signal, (event) => {
        const picture = work.pictures[event.image_index];
        if (event.type === "januspro.preview") {
          if (picture.canvas.dataset.state === "waiting") work.begun = Math.max(work.begun, performance.now() - 200);
          picture.show(event);
        } else if (event.type.endsWith(".completed")) {
          finished.push(picture.finish(work, event));
        }
        this.#showProgress();
      });
      await Promise.all(finished);
      endAll("failed", "the server ended the stream early");
    } catch (error) {
      await Promise.allSettled(finished);
      const state = error.name === "AbortError" ? "cancelled" : "failed";
      endAll(state, state);
      tell(error);
    }
  }

  #showProgress() {
    const work = this.#running;
    this.part("cancel").hidden = work === null;
    this.part("status").hidden = work === null;
    this.part("queue").textContent = this.#waiting.length > 0 ? `${this.#waiting.length} waiting` : "";
    if (work === null) return;
    const rows = work.pictures.reduce((sum, picture) => sum + picture.rows, 0);
    const share = rows / (work.pictures.length * model.image_grid);
    this.part("progress").setAttribute("aria-valuenow", Math.round(share * 100));
    this.part("progress").firstElementChild.style.width = `${share * 100}%`;
    const seconds = (performance.now() - work.begun) / 1000;
    const left = share > 0.05 ? Math.ceil((seconds / share) * (1 - share)) : null;
    this.part("time-left").textContent = left === null ? "beginning…" : left > 1 ? `about ${left} s left` : "nearly done";
  }
}
