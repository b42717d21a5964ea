// Finished pictures, kept in this browser (IndexedDB), newest first. SPDX-License-Identifier: MIT
import { $, make } from "./shell.js";

const kStore = "pictures";
let send = {};  // where a picture can go from here: name -> (blob, prompt) => …

function open() {
  return new Promise((resolve, reject) => {
    const request = indexedDB.open("januspro", 1);
    request.onupgradeneeded = () => request.result.createObjectStore(kStore, { keyPath: "id", autoIncrement: true });
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
}

async function store(mode, work) {
  const database = await open();
  try {
    return await new Promise((resolve, reject) => {
      const transaction = database.transaction(kStore, mode);
      const request = work(transaction.objectStore(kStore));
      transaction.oncomplete = () => resolve(request.result);
      transaction.onerror = () => reject(transaction.error);
    });
  } finally {
    database.close();
  }
}

export function tools({ blob, url, prompt, seed }, more) {
  const name = `${prompt.trim().replace(/[^\p{L}\p{N}]+/gu, "-").slice(0, 40) || "picture"}-${seed}.png`;
  return make("div", { class: "tools" }, ...more,
    ...Object.entries(send).map(([name, go]) =>
      make("button", { type: "button", "aria-label": `${name}: ${prompt}`, onclick: () => go(blob, prompt) }, name)),
    make("a", { href: url, download: name, "aria-label": `Save ${prompt}` }, "Save"));
}

function show(item, isNew) {
  const url = URL.createObjectURL(item.blob);
  const remove = make("button", { type: "button", "aria-label": `Remove ${item.prompt}` }, "Remove");
  const figure = make("figure", {},
    make("img", { src: url, alt: item.prompt, "data-testid": "gallery-item", "data-seed": item.seed, "data-prompt": item.prompt }),
    make("figcaption", {}, make("p", {}, item.prompt), make("small", {}, `seed ${item.seed}`),
      tools({ ...item, url }, [remove])));
  remove.addEventListener("click", async () => {
    await store("readwrite", (pictures) => pictures.delete(item.id));
    URL.revokeObjectURL(url);
    figure.remove();
    $("gallery-empty").hidden = $("gallery").children.length > 0;
  });
  if (isNew) $("gallery").prepend(figure);
  else $("gallery").append(figure);
  $("gallery-empty").hidden = true;
}

export async function keep(item) {
  const id = await store("readwrite", (pictures) => pictures.add(item));
  show({ ...item, id }, true);
}

export async function startGallery(targets) {
  send = targets;
  const items = await store("readonly", (pictures) => pictures.getAll());
  for (const item of items.reverse()) show(item, false);
}
