// Where the page begins. SPDX-License-Identifier: MIT
import { get } from "./api.js";
import { askAbout, startAsk } from "./ask.js";
import { setModel, startDraw } from "./draw.js";
import { startGallery } from "./gallery.js";
import { $, allIsWell, startShell, tell } from "./shell.js";

async function learnModel() {
  try {
    const { data } = await get("/v1/models");
    setModel(data[0].januspro);
    $("model").textContent = data[0].id;
    allIsWell();
  } catch (error) {
    if (error.code === "loading") {
      $("model").textContent = "loading…";
      setTimeout(learnModel, 1000);
    } else {
      tell(error);
    }
  }
}

startShell(learnModel);
startDraw(askAbout);
startAsk();
startGallery(askAbout).catch(tell);
learnModel();
