// What all views share: tabs, theme, errors, the key, small helpers.
// SPDX-License-Identifier: MIT
import { setKey } from "./api.js";

export const $ = (id) => document.getElementById(id);

export function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (value !== undefined) element.setAttribute(name, value);
  }
  element.append(...children);
  return element;
}

export function dataUrl(blob) {
  return new Promise((resolve, reject) => {
    const reader = new FileReader();
    reader.onload = () => resolve(reader.result);
    reader.onerror = () => reject(reader.error);
    reader.readAsDataURL(blob);
  });
}

// Files dropped anywhere on `view` go to `take`; `target` shows that they may.
export function acceptDrops(view, target, take) {
  view.addEventListener("dragover", (event) => {
    event.preventDefault();
    target.classList.add("over");
  });
  view.addEventListener("dragleave", () => target.classList.remove("over"));
  view.addEventListener("drop", (event) => {
    event.preventDefault();
    target.classList.remove("over");
    take([...event.dataTransfer.files].filter(({ type }) => type.startsWith("image/")));
  });
}

const tabs = [...document.querySelectorAll('[role="tab"]')];

export function select(name) {
  for (const tab of tabs) {
    const chosen = tab.id === `tab-${name}`;
    tab.setAttribute("aria-selected", chosen);
    tab.tabIndex = chosen ? 0 : -1;
    $(tab.getAttribute("aria-controls")).hidden = !chosen;
  }
  if (location.hash !== `#${name}`) history.replaceState(null, "", `#${name}`);
}

export function tell(error) {
  if (error.name === "AbortError") return;
  $("error").textContent = error.message;
  if (error.status === 401) {
    $("key-form").hidden = false;
    $("key").focus();
  }
}

export function allIsWell() {
  $("error").textContent = "";
}

function setTheme(theme) {
  document.documentElement.dataset.theme = theme;
}

export function startShell(afterKey) {
  for (const tab of tabs) {
    tab.addEventListener("click", () => select(tab.id.slice(4)));
    tab.addEventListener("keydown", (event) => {
      const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
      if (!step) return;
      const shown = tabs.filter(({ hidden }) => !hidden);
      const next = shown[(shown.indexOf(tab) + step + shown.length) % shown.length];
      select(next.id.slice(4));
      next.focus();
    });
  }
  const wanted = location.hash.slice(1);
  select(tabs.some(({ id }) => id === `tab-${wanted}`) ? wanted : "draw");

  const dark = matchMedia("(prefers-color-scheme: dark)");
  const kept = localStorage.getItem("januspro.theme");
  setTheme(kept ?? (dark.matches ? "dark" : "light"));
  dark.addEventListener("change", () => {
    if (!localStorage.getItem("januspro.theme")) setTheme(dark.matches ? "dark" : "light");
  });
  $("theme").addEventListener("click", () => {
    const theme = document.documentElement.dataset.theme === "dark" ? "light" : "dark";
    localStorage.setItem("januspro.theme", theme);
    setTheme(theme);
  });
  $("key-form").addEventListener("submit", (event) => {
    event.preventDefault();
    setKey($("key").value);
    $("key").value = "";
    $("key-form").hidden = true;
    allIsWell();
    afterKey();
  });
}
