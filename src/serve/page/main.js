// Where the page begins. SPDX-License-Identifier: MIT
import { get } from "./api.js";
import { askAbout, startAsk } from "./ask.js";
import { startDraw } from "./draw.js";
import { editPicture, startEdit } from "./edit.js";
import { startGallery } from "./gallery.js";
import { setModel } from "./growing.js";
import { $, allIsWell, select, startShell, tell } from "./shell.js";

async function learnModel() {
  try {
    const { data } = await get("/v1/models");
    setModel(data[0].januspro);
    if (!data[0].januspro.capabilities.includes("edit")) {
      $("tab-edit").hidden = true;
      if (!$("view-edit").hidden) select("draw");
    }
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
startGallery({ Ask: askAbout, Edit: editPicture }).catch(tell);
startDraw();
startAsk();
startEdit();
learnModel();
