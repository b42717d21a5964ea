// Asking: pictures and a question, streamed answers, turn after turn. SPDX-License-Identifier: MIT
import { stream } from "./api.js";
import { $, acceptDrops, allIsWell, dataUrl, make, select, tell } from "./shell.js";

let pictures = [];  // data URLs of the next question
let messages = [];
let busy = null;

function showThumbs() {
  $("thumbs").replaceChildren(...pictures.map((url, index) => make("div", { class: "thumb", "data-testid": "thumb" },
    make("img", { src: url, alt: `Picture ${index + 1}` }),
    make("button", {
      type: "button", "aria-label": `Take picture ${index + 1} out`, onclick: () => {
        pictures.splice(index, 1);
        showThumbs();
      },
    }, "×"))));
}

export async function addPictures(files) {
  for (const file of files) {
    if (file.type.startsWith("image/")) pictures.push(await dataUrl(file));
  }
  showThumbs();
}

function fresh() {
  busy?.abort();
  messages = [];
  $("turns").replaceChildren();
  $("ask-empty").hidden = false;
  $("ask-new").hidden = true;
}

// A picture of another view: a new conversation about it.
export async function askAbout(blob) {
  fresh();
  pictures = [];
  await addPictures([blob]);
  select("ask");
  $("question").focus();
}

async function submit(event) {
  event?.preventDefault();
  const question = $("question").value.trim();
  if (question === "" || busy) return;
  allIsWell();
  const shown = pictures.map((url) => make("img", { src: url, alt: "" }));
  const user = make("div", { class: "turn user" }, question);
  if (shown.length > 0) user.prepend(make("div", { class: "thumbs" }, ...shown));
  const answer = make("div", { class: "turn answer", "data-testid": "answer", "data-state": "streaming", "aria-live": "polite" });
  $("turns").append(user, answer);
  $("ask-empty").hidden = true;
  $("ask-new").hidden = false;
  const asked = {
    role: "user",
    content: [...pictures.map((url) => ({ type: "image_url", image_url: { url } })), { type: "text", text: question }],
  };
  pictures = [];
  showThumbs();
  $("question").value = "";
  busy = new AbortController();
  try {
    await stream("/v1/chat/completions", { messages: [...messages, asked], stream: true }, busy.signal, (chunk) => {
      answer.textContent += chunk.choices[0]?.delta?.content ?? "";
    });
    answer.dataset.state = "done";
    answer.textContent = answer.textContent.trim();
    messages.push(asked, { role: "assistant", content: answer.textContent });
    answer.scrollIntoView({ block: "nearest" });
  } catch (error) {
    answer.dataset.state = "failed";
    if (answer.textContent === "") answer.textContent = "No answer.";
    tell(error);
  } finally {
    busy = null;
  }
}

export function startAsk() {
  $("ask-form").addEventListener("submit", submit);
  $("ask-new").addEventListener("click", fresh);
  $("question").addEventListener("keydown", (event) => {
    if (event.key === "Enter" && !event.shiftKey) submit(event);
  });
  $("file").addEventListener("change", async () => {
    await addPictures($("file").files);
    $("file").value = "";
  });
  acceptDrops($("view-ask"), $("drop"), addPictures);
  document.addEventListener("paste", (event) => {
    if (event.clipboardData.files.length === 0 || !$("view-edit").hidden) return;
    select("ask");
    addPictures(event.clipboardData.files);
  });
}
