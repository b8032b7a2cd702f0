/** The list of kinds of conditions: opened by a button, searched, gone through by arrow keys. */
import { all, byId, near } from "./dom";

export type Pick = (name: string, chosen: (key: string) => void) => void;

const entries = (dialog: HTMLElement): HTMLButtonElement[] =>
  all<HTMLButtonElement>("button[data-key]", dialog).filter((one) => !one.hidden);

const filter = (dialog: HTMLElement, typed: string): void => {
  const words = typed.toLowerCase().split(/\s+/);
  for (const one of all<HTMLButtonElement>("button[data-key]", dialog)) {
    one.hidden = !words.every((word) => one.textContent?.toLowerCase().includes(word));
  }
  for (const section of all("section", dialog)) section.hidden = !section.querySelector("button:not([hidden])");
};

const begin = (dialog: HTMLDialogElement, chosen: () => ((key: string) => void) | null): void => {
  const search = dialog.querySelector<HTMLInputElement>("input");
  search?.addEventListener("input", () => filter(dialog, search.value));
  dialog.addEventListener("click", (event) => {
    const key = near<HTMLButtonElement>(event, "button[data-key]")?.dataset["key"];
    if (key === undefined) return;
    dialog.close();
    chosen()?.(key);
  });
  dialog.addEventListener("keydown", (event) => {
    const step = event.key === "ArrowDown" ? 1 : event.key === "ArrowUp" ? -1 : 0;
    const found = entries(dialog);
    const at = found.indexOf(document.activeElement as HTMLButtonElement);
    if (event.key === "Enter" && document.activeElement === search) {
      // Else the key would press the button that gets the focus back when the list closes.
      event.preventDefault();
      found[0]?.click();
    }
    if (!step || !found.length) return;
    event.preventDefault();
    found[(at + step + found.length) % found.length]?.focus();
  });
};

export const beginPicker = (): Pick => {
  let chosen: ((key: string) => void) | null = null;
  const dialogs = all<HTMLDialogElement>("dialog.picker");
  for (const dialog of dialogs) begin(dialog, () => chosen);
  return (name, then) => {
    const dialog = byId(`pick-${name}`) as HTMLDialogElement;
    chosen = then;
    const search = dialog.querySelector<HTMLInputElement>("input");
    if (search) search.value = "";
    filter(dialog, "");
    dialog.showModal();
    (search ?? entries(dialog)[0])?.focus();
  };
};
