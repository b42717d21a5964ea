// Drawing from words. SPDX-License-Identifier: MIT
import { Line } from "./growing.js";
import { $, allIsWell, make } from "./shell.js";

function reuseButton(prompt, seed) {
  return make("button", {
    type: "button", "data-testid": "reuse-seed", "aria-label": `Use seed ${seed} again`, onclick: () => {
      $("seed").value = seed;
      $("prompt").value = prompt;
      $("prompt").focus();
    },
  }, "Reuse seed");
}

export function startDraw() {
  const line = new Line("draw", $("pictures"), "picture");

  function submit(event) {
    event?.preventDefault();
    if (!$("draw-form").reportValidity()) return;
    allIsWell();
    const prompt = $("prompt").value.trim();
    if (prompt === "") return;
    const guidance = Number($("guidance").value);
    const seed = $("seed").value.trim();
    line.add({
      path: "/v1/images/generations", prompt, guidance, count: Number($("count").value) || 1,
      body: { prompt, guidance, ...(seed === "" ? {} : { seed: Number(seed) }) },
      tools: ({ seed }) => [reuseButton(prompt, seed)],
    });
  }

  $("draw-form").addEventListener("submit", submit);
  $("prompt").addEventListener("keydown", (event) => {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) submit(event);
  });
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape") line.cancel();
  });
}
