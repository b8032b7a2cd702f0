/** The frame of the page: the folded navigation, menus, and light or dark. */
import { all, near } from "./dom";

type Theme = "light" | "dark";

export const darkNow = (): boolean => {
  const chosen = document.documentElement.dataset["theme"];
  return chosen ? chosen === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
};

const choose = (theme: Theme): void => {
  document.documentElement.dataset["theme"] = theme;
  // A year; the server writes the page with it, so that nothing flashes.
  document.cookie = `theme=${theme}; path=/; max-age=31536000; samesite=lax`;
  tellTheme();
};

const tellTheme = (): void => {
  for (const button of all("[data-theme-switch]")) {
    button.setAttribute("aria-label", darkNow() ? "Use light colours" : "Use dark colours");
  }
  document.dispatchEvent(new Event("shoal:theme"));
};

const setMenu = (open: boolean): void => {
  document.body.classList.toggle("menu-open", open);
  for (const button of all("[data-menu]")) button.setAttribute("aria-expanded", String(open));
};

const closeMenus = (but: Element | null): void => {
  for (const menu of all<HTMLDetailsElement>("details.menu[open]")) {
    if (menu !== but) menu.open = false;
  }
};

const escape = (): void => {
  const open = document.querySelector<HTMLDetailsElement>("details.menu[open]");
  if (open) {
    open.open = false;
    open.querySelector("summary")?.focus();
  } else if (document.body.classList.contains("menu-open")) {
    setMenu(false);
    document.querySelector<HTMLElement>("[data-menu]")?.focus();
  }
};

export const beginFrame = (): void => {
  document.addEventListener("click", (event) => {
    if (near(event, "[data-menu]")) setMenu(!document.body.classList.contains("menu-open"));
    if (near(event, "[data-theme-switch]")) choose(darkNow() ? "light" : "dark");
    if (near(event, "[data-print]")) print();
    closeMenus(near(event, "details.menu"));
  });
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape") escape();
    const typing = near(event, "input, textarea, select, [contenteditable]");
    if (event.key === "/" && !typing && !event.ctrlKey && !event.metaKey) {
      const search = document.querySelector<HTMLInputElement>("[data-search-all]");
      if (search) {
        event.preventDefault();
        search.focus();
      }
    }
  });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", tellTheme);
  tellTheme();
};
