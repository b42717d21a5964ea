// Editing: a picture, what of it is to change, and words for what is to be seen there.
// SPDX-License-Identifier: MIT
import { Line } from "./growing.js";
import { MaskCanvas } from "./mask.js";
import { $, acceptDrops, allIsWell, dataUrl, select, tell } from "./shell.js";

let mask, line;
let source = null;  // data URL of the picture as it came

async function take(blob) {
  allIsWell();
  try {
    mask.show(await createImageBitmap(blob));
  } catch {
    tell(new Error("This browser cannot show that file as a picture. PNG, JPEG, WebP, GIF and BMP can be edited."));
    return;
  }
  source = await dataUrl(blob);
  $("edit-board").hidden = false;
}

// A picture of another view.
export async function editPicture(blob, prompt) {
  select("edit");
  $("edit-prompt").value = prompt;
  await take(blob);
  $("mask-canvas").focus();
}

// What of the picture is to change, as the server takes it; null after saying why not.
async function change() {
  const how = $("edit-how").value;
  if (how !== "paint") return { outpaint: how };
  if (mask.empty) {
    tell(new Error("Paint over what is to change first, or choose a side to widen the picture."));
    return null;
  }
  return { mask: { image_url: await dataUrl(await mask.file()) } };
}

async function submit(event) {
  event?.preventDefault();
  allIsWell();
  if (source === null) return tell(new Error("Choose a picture to edit first."));
  if (!$("edit-form").reportValidity()) return;
  const prompt = $("edit-prompt").value.trim();
  const changed = prompt === "" ? null : await change();
  if (changed === null) return;
  line.add({
    path: "/v1/images/edits", prompt, count: Number($("edit-count").value) || 1,
    body: { prompt, images: [{ image_url: source }], ...changed },
  });
}

export function startEdit() {
  mask = new MaskCanvas($("mask-canvas"), $("brush"));
  line = new Line("edit", $("edit-pictures"), "edit-picture");
  $("edit-form").addEventListener("submit", submit);
  $("edit-file").addEventListener("change", async () => {
    const [file] = $("edit-file").files;
    $("edit-file").value = "";
    if (file) await take(file);
  });
  $("edit-how").addEventListener("change", () => {
    mask.visible = $("edit-how").value === "paint";
    $("edit-paint").hidden = $("edit-how").value !== "paint";
  });
  $("mask-clear").addEventListener("click", () => mask.clear());
  $("edit-prompt").addEventListener("keydown", (event) => {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) submit(event);
  });
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape") line.cancel();
  });
  acceptDrops($("view-edit"), $("edit-drop"), ([file]) => file && take(file));
}
