// A picture's middle square on a canvas, and what was painted on it: with a pointer, a finger, or
// the arrow keys and the space bar. SPDX-License-Identifier: MIT
const kSide = 512;  // of the canvas, whatever the picture has
const kColour = "#d6156c";

export class MaskCanvas {
  #picture = null;  // ImageBitmap
  #visible = true;
  #paint = new OffscreenCanvas(kSide, kSide);
  #strokes = this.#paint.getContext("2d", { willReadFrequently: true });
  #last = null;                              // where the pointer was, while it is down
  #cursor = { x: kSide / 2, y: kSide / 2 };  // of the keys

  constructor(canvas, brush) {
    this.canvas = canvas;
    this.brush = brush;
    canvas.width = canvas.height = kSide;
    canvas.addEventListener("pointerdown", (event) => this.#begin(event));
    canvas.addEventListener("pointermove", (event) => this.#go(event));
    for (const end of ["pointerup", "pointercancel"]) canvas.addEventListener(end, () => (this.#last = null));
    canvas.addEventListener("keydown", (event) => this.#key(event));
    for (const change of ["focus", "blur"]) canvas.addEventListener(change, () => this.#show());
    this.#show();
  }

  get empty() {
    return Number(this.canvas.dataset.painted) === 0;
  }

  show(bitmap) {
    this.#picture?.close();
    this.#picture = bitmap;
    this.clear();
  }

  // Whether what is painted counts, and so is seen.
  set visible(visible) {
    this.#visible = visible;
    this.#show();
  }

  clear() {
    this.#strokes.clearRect(0, 0, kSide, kSide);
    this.#show();
  }

  // As a PNG of the picture's own size: transparent where it was painted. -> Promise<Blob>
  file() {
    const { width, height } = this.#picture;
    const mask = new OffscreenCanvas(width, height);
    const context = mask.getContext("2d");
    const side = Math.min(width, height);
    context.fillRect(0, 0, width, height);
    context.globalCompositeOperation = "destination-out";
    context.imageSmoothingEnabled = false;
    context.drawImage(this.#paint, 0, 0, kSide, kSide, (width - side) / 2, (height - side) / 2, side, side);
    return mask.convertToBlob({ type: "image/png" });
  }

  #radius() {
    return (Number(this.brush.value) / 100) * kSide / 2;
  }

  #at(event) {
    const box = this.canvas.getBoundingClientRect();
    return { x: ((event.clientX - box.left) / box.width) * kSide, y: ((event.clientY - box.top) / box.height) * kSide };
  }

  #begin(event) {
    if (!this.#picture || !event.isPrimary || event.button !== 0) return;
    event.preventDefault();
    this.canvas.setPointerCapture(event.pointerId);
    this.#last = this.#at(event);
    this.#stroke(this.#last, this.#last);
  }

  #go(event) {
    if (!this.#last || !event.isPrimary) return;
    const here = this.#at(event);
    this.#stroke(this.#last, here);
    this.#last = here;
  }

  #key(event) {
    const step = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key];
    if (!this.#picture || (!step && event.key !== " ")) return;
    event.preventDefault();
    if (step) {
      const inside = (value) => Math.max(0, Math.min(kSide, value));
      this.#cursor.x = inside(this.#cursor.x + step[0] * this.#radius());
      this.#cursor.y = inside(this.#cursor.y + step[1] * this.#radius());
      this.#show();
    } else {
      this.#stroke(this.#cursor, this.#cursor);
    }
  }

  #stroke(from, to) {
    this.#strokes.lineCap = "round";
    this.#strokes.lineWidth = 2 * this.#radius();
    this.#strokes.fillStyle = this.#strokes.strokeStyle = kColour;
    this.#strokes.beginPath();
    this.#strokes.arc(to.x, to.y, this.#radius(), 0, 2 * Math.PI);  // a line of no length draws nothing
    this.#strokes.fill();
    this.#strokes.beginPath();
    this.#strokes.moveTo(from.x, from.y);
    this.#strokes.lineTo(to.x, to.y);
    this.#strokes.stroke();
    this.#show();
  }

  #share() {
    const { data } = this.#strokes.getImageData(0, 0, kSide, kSide);
    let painted = 0;
    for (let i = 3; i < data.length; i += 4) painted += data[i] > 127;
    return painted / (kSide * kSide);
  }

  #show() {
    const context = this.canvas.getContext("2d");
    context.clearRect(0, 0, kSide, kSide);
    this.canvas.dataset.painted = this.#picture ? this.#share().toFixed(4) : "0";
    if (!this.#picture) return;
    const { width, height } = this.#picture;
    const side = Math.min(width, height);
    context.drawImage(this.#picture, (width - side) / 2, (height - side) / 2, side, side, 0, 0, kSide, kSide);
    context.globalAlpha = 0.6;
    if (this.#visible) context.drawImage(this.#paint, 0, 0);
    context.globalAlpha = 1;
    if (document.activeElement !== this.canvas || !this.canvas.matches(":focus-visible")) return;
    for (const [colour, width] of [["#000", 5], ["#fff", 2]]) {
      context.strokeStyle = colour;
      context.lineWidth = width;
      context.beginPath();
      context.arc(this.#cursor.x, this.#cursor.y, this.#radius(), 0, 2 * Math.PI);
      context.stroke();
    }
  }
}
