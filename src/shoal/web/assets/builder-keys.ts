/** The builder by keyboard alone: arrows go from row to row, letters and Alt with arrows do what the row's menu does. */
import { all, byId } from "./dom";
import type { Pick } from "./builder-picker";

interface Doing {
  edit: (op: string, path: string, value?: string) => Promise<void>;
  undo: () => void;
  redo: () => void;
  save: () => Promise<void>;
  pick: Pick;
}

const MOVES: Record<string, string> = { ArrowUp: "up", ArrowDown: "down", ArrowRight: "in", ArrowLeft: "out" };

const typing = (target: EventTarget | null): boolean =>
  target instanceof HTMLElement && target.matches("input:not([type=checkbox]), textarea, select, [contenteditable], .cm-content");

export const beginKeys = (rows: HTMLElement, { edit, undo, redo, save, pick }: Doing): void => {
  const step = (from: HTMLElement, by: number): void => {
    const found = all("[data-row]", rows);
    found[Math.min(Math.max(found.indexOf(from) + by, 0), found.length - 1)]?.focus();
  };

  const onRow = (row: HTMLElement, event: KeyboardEvent): boolean => {
    const path = row.dataset["row"] ?? "";
    const filters = row.classList.contains("b-inner") || row.classList.contains("inner");
    if (event.altKey && MOVES[event.key]) void edit(MOVES[event.key] ?? "", path);
    else if (event.ctrlKey || event.metaKey || event.altKey) return false;
    else if (event.key === "ArrowDown") step(row, 1);
    else if (event.key === "ArrowUp") step(row, -1);
    else if (event.key === "Enter") row.querySelector<HTMLElement>("input, select, button[data-op]")?.focus();
    else if (event.key === "Delete" || event.key === "Backspace") void edit("remove", path);
    else if (event.key === "a") pick(filters ? "filters" : "conditions", (key) => void edit("add", path, key));
    else if (event.key === "g") void edit("wrap", path, "any");
    else if (event.key === "n") void edit("negate", path);
    else if (event.key === "d") void edit("duplicate", path);
    else return false;
    return true;
  };

  rows.addEventListener("keydown", (event) => {
    const { target } = event;
    if (!(target instanceof HTMLElement)) return;
    if (target.dataset["row"] !== undefined) {
      if (onRow(target, event)) {
        event.preventDefault();
        event.stopPropagation();
      }
    } else if (event.key === "Escape") {
      target.closest<HTMLElement>("[data-row]")?.focus();
    } else if (event.key === "Enter" && target instanceof HTMLInputElement && target.type !== "checkbox") {
      event.preventDefault();
      target.dispatchEvent(new Event("change", { bubbles: true }));
    }
  });

  document.addEventListener("keydown", (event) => {
    const control = event.ctrlKey || event.metaKey;
    if (control && event.key.toLowerCase() === "s") {
      event.preventDefault();
      void save();
    } else if (control && event.key.toLowerCase() === "z" && !inText(event.target)) {
      event.preventDefault();
      if (event.shiftKey) redo();
      else undo();
    } else if (event.key === "?" && !typing(event.target)) {
      (byId("keys") as HTMLDialogElement).showModal();
    }
  });
};

/** Where the browser, or the editor, undoes what is being typed itself. */
const inText = (target: EventTarget | null): boolean => {
  if (!(target instanceof HTMLElement)) return false;
  if (target.closest(".text-view") || target instanceof HTMLTextAreaElement) return true;
  return target instanceof HTMLInputElement && target.type !== "checkbox" && target.value !== target.defaultValue;
};
