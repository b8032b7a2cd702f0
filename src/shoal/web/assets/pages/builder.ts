/**
 * The segment builder. The text of the definition is the state: each edit is sent with it and answered by the new text and
 * its rows, so that rows and text can't disagree; undoing goes back to an earlier text.
 */
import { all, byId, near } from "../dom";
import { post, sizesOf } from "../builder-asking";
import { beginKeys } from "../builder-keys";
import { beginPicker } from "../builder-picker";
import { beginSuggestions } from "../builder-suggestions";
import type { Editor } from "../builder-editor";
import { toast } from "../toasts";

interface Pending {
  [path: string]: { raw: string; problem: string };
}

export interface Fault {
  start: number;
  end: number;
  problem: string;
  fix: string;
  unfinished: boolean;
  doubt: boolean;
}

interface Answer {
  text: string;
  html: string;
  sentence: string;
  faults: Fault[];
  whole: boolean;
  broken: boolean;
  countable: boolean;
  pending: Pending;
  focus: string;
  refused: string | null;
}

type View = "rows" | "text" | "both";

const desk = document.querySelector<HTMLElement>("[data-builder]")!;
const rows = byId("rows")!;
const details = byId("details") as HTMLFormElement;
const stored = byId("builder-text") as HTMLTextAreaElement;
const undoButton = byId("undo") as HTMLButtonElement;
const redoButton = byId("redo") as HTMLButtonElement;

let text = stored.value;
let pending: Pending = {};
let faults: Fault[] = [];
let past: string[] = [];
let future: string[] = [];
let queue: Promise<void> = Promise.resolve();
let editor: Editor | null = null;
let saving = false;

const said = (name: string): string => String(new FormData(details).get(name) ?? "");
export const draft = (): Record<string, string> => ({
  text,
  slug: desk.dataset["slug"] ?? "",
  always: said("always"),
  never: said("never"),
});

// ---------------------------------------------------------------- edits

const ask = (what: Record<string, string>, over = text): Promise<Answer | null> =>
  post<Answer>("tree", { ...draft(), text: over, pending: JSON.stringify(pending), ...what });

/** Edits come one after the other: each is made on the text that the one before it gave. */
export const edit = (op: string, path: string, value = ""): Promise<void> => {
  queue = queue.then(async () => {
    const answer = await ask({ op, path, value });
    if (answer) took(answer, op === "set" ? null : answer.focus);
  });
  return queue;
};

/** Another text: typed, or gone back to. */
const load = (wanted: string, from: "editor" | "history" | "start"): Promise<void> => {
  queue = queue.then(async () => {
    if (from !== "editor") pending = {};
    const answer = await ask({}, wanted);
    if (answer) took(answer, null, from);
  });
  return queue;
};

const took = (answer: Answer, focus: string | null, from: "edit" | "editor" | "history" | "start" = "edit"): void => {
  if (answer.text !== text && (from === "edit" || from === "editor")) {
    past.push(text);
    future = [];
  }
  const changed = answer.text !== text;
  text = stored.value = answer.text;
  pending = answer.pending;
  faults = answer.faults;
  show(answer.html, focus);
  byId("sentence")!.textContent = answer.sentence && `${answer.sentence}.`;
  undoButton.disabled = past.length === 0;
  redoButton.disabled = future.length === 0;
  if (answer.refused && !Object.keys(pending).length) toast({ text: answer.refused, bad: true });
  editor?.show(text, faults, from === "editor");
  if (changed || from === "start") count();
  if (changed && from !== "start") keepSoon();
};

/** Put the rows in place; where the work goes on the focus goes, or stays where it is. */
const show = (html: string, focus: string | null): void => {
  const here = document.activeElement instanceof HTMLElement && rows.contains(document.activeElement) ? document.activeElement : null;
  const key = here && { path: here.dataset["path"], op: here.dataset["op"], row: here.dataset["row"] };
  const typed = here instanceof HTMLInputElement ? here.value : null;
  const unsent = here instanceof HTMLInputElement && here.value !== here.defaultValue && here.dataset["sent"] !== here.value;
  const open = all<HTMLElement>("details[open]", rows).map((one) => one.closest<HTMLElement>("[data-row]")?.dataset["row"]);
  rows.innerHTML = html;
  for (const one of all<HTMLInputElement>("[data-wrong]", rows)) one.setAttribute("aria-invalid", "true");
  void open;
  if (focus !== null) {
    goTo(focus);
  } else if (key) {
    const again = key.row !== undefined ? rowAt(key.row) : all(`[data-path="${key.path}"][data-op="${key.op}"]`, rows)[0];
    again?.focus();
    if (unsent && typed !== null && again instanceof HTMLInputElement) again.value = typed;
  }
  const first = rows.querySelector<HTMLElement>("[data-row]");
  if (first) first.tabIndex = 0;
};

const rowAt = (path: string): HTMLElement | null => rows.querySelector<HTMLElement>(`[data-row="${CSS.escape(path)}"]`);

/** The row of a place gets the focus; where something is to be chosen in it, that field. */
const goTo = (path: string): void => {
  let at = path;
  let row = rowAt(at);
  while (!row && at) {
    at = at.split(".").slice(0, -1).join(".");
    row = rowAt(at);
  }
  if (!row) {
    rows.querySelector<HTMLElement>("[data-row], [data-picks]")?.focus();
    return;
  }
  const own = all<HTMLInputElement>("input.b-name, input.b-text, input.b-number", row).filter((one) => one.value === "");
  (own[0] ?? row).focus();
};

rows.addEventListener("change", (event) => {
  const field = event.target;
  if (!(field instanceof HTMLInputElement || field instanceof HTMLSelectElement) || !field.dataset["op"]) return;
  const value = field instanceof HTMLInputElement && field.type === "checkbox" ? (field.checked ? "yes" : "no") : field.value;
  if (field.dataset["sent"] === value) return;
  field.dataset["sent"] = value;
  void edit(field.dataset["op"], field.dataset["path"] ?? "", value);
});

const pick = beginPicker();
rows.addEventListener("click", (event) => {
  const button = near<HTMLButtonElement>(event, "button[data-op]");
  if (!button) return;
  const { op = "", path = "", value = "", picks } = button.dataset;
  if (picks) pick(picks, (key) => void edit(op, path, key));
  else void edit(op, path, value);
});

// ---------------------------------------------------------------- going back

export const undo = (): void => {
  const before = past.pop();
  if (before === undefined) return;
  future.push(text);
  void load(before, "history").then(keepSoon);
};

export const redo = (): void => {
  const after = future.pop();
  if (after === undefined) return;
  past.push(text);
  void load(after, "history").then(keepSoon);
};
undoButton.addEventListener("click", undo);
redoButton.addEventListener("click", redo);

// ---------------------------------------------------------------- sizes

const count = (): void => {
  sizesOf(draft(), rows);
};

details.addEventListener("change", (event) => {
  const { name } = event.target as HTMLSelectElement;
  if (name === "always" || name === "never") count();
});

// ---------------------------------------------------------------- both views

const setView = async (view: View): Promise<void> => {
  rows.hidden = view === "text";
  byId("text")!.hidden = view === "rows";
  for (const one of all<HTMLButtonElement>("[data-view]")) one.setAttribute("aria-pressed", String(one.dataset["view"] === view));
  const url = new URL(location.href);
  if (view === "rows") url.searchParams.delete("view");
  else url.searchParams.set("view", view);
  history.replaceState(null, "", url);
  if (view !== "rows" && !editor) {
    const { makeEditor } = await import("../builder-editor");
    editor = makeEditor(byId("text")!, text, (typed) => void load(typed, "editor"));
    editor.show(text, faults, false);
  }
};
for (const one of all("[data-view]")) one.addEventListener("click", () => void setView(one.dataset["view"] as View));

// ---------------------------------------------------------------- drafts

const kept = byId("kept")!;
let timer = 0;
let dirty = false;

const fields = (): Record<string, string> => ({
  ...Object.fromEntries([...new FormData(details)].map(([name, value]) => [name, String(value)])),
  ...draft(),
  base: desk.dataset["base"] ?? "",
  draft: desk.dataset["draft"] ?? "",
});

const keepSoon = (): void => {
  dirty = true;
  kept.textContent = "Not kept yet";
  clearTimeout(timer);
  timer = window.setTimeout(() => void keep(), 700);
};

const keep = async (): Promise<void> => {
  if (saving) return;
  dirty = false;
  const answer = await post<{ draft: string }>("keep", fields());
  if (!answer) {
    dirty = true;
    return;
  }
  desk.dataset["draft"] = answer.draft;
  kept.textContent = dirty ? "Not kept yet" : "Kept as a draft";
  const url = new URL(location.href);
  if (url.searchParams.get("draft") === answer.draft) return;
  for (const name of ["where", "name", "why", "version"]) url.searchParams.delete(name);
  url.searchParams.set("draft", answer.draft);
  history.replaceState(null, "", url);
};

details.addEventListener("input", keepSoon);
details.addEventListener("submit", (event) => event.preventDefault());
addEventListener("beforeunload", (event) => {
  if (dirty && !saving) event.preventDefault();
});

byId("copy-link")?.addEventListener("click", () => {
  const link = `${location.origin}/segments/new?where=${encodeURIComponent(text)}`;
  void navigator.clipboard.writeText(link).then(() => toast({ text: "The link is copied: it opens these conditions." }));
});

// ---------------------------------------------------------------- saving

interface Saved {
  href?: string;
  errors?: Record<string, string>;
  conflict?: boolean;
  base?: string;
  theirs?: string;
}

const showErrors = (errors: Record<string, string>): void => {
  for (const one of all(".field .error", details)) one.remove();
  for (const one of all("[aria-invalid]", details)) one.removeAttribute("aria-invalid");
  for (const [name, problem] of Object.entries(errors)) {
    const field = details.elements.namedItem(name);
    if (!(field instanceof HTMLElement)) {
      toast({ text: problem, bad: true });
      continue;
    }
    const note = document.createElement("p");
    note.className = "error";
    note.id = `error-${name}`;
    note.textContent = problem;
    field.setAttribute("aria-invalid", "true");
    field.setAttribute("aria-describedby", note.id);
    field.after(note);
  }
  details.querySelector<HTMLElement>("[aria-invalid]")?.focus();
};

export const save = async (): Promise<void> => {
  (document.activeElement as HTMLElement | null)?.blur();
  await queue;
  if (Object.keys(pending).length) {
    toast({ text: "Something in the rows can't be written yet; it is marked.", bad: true });
    return;
  }
  saving = true;
  clearTimeout(timer);
  const answer = await post<Saved>("save", fields());
  saving = false;
  if (answer?.href) {
    saving = true;
    location.href = answer.href;
  } else if (answer?.conflict) {
    desk.dataset["theirs"] = answer.base ?? "";
    byId("theirs")!.textContent = answer.theirs ?? "";
    (byId("conflict") as HTMLDialogElement).showModal();
  } else if (answer?.errors) {
    showErrors(answer.errors);
  }
};

byId("save")?.addEventListener("click", () => void save());
const resolved = (): void => {
  desk.dataset["base"] = desk.dataset["theirs"] ?? "";
  (byId("conflict") as HTMLDialogElement).close();
};
byId("save-anyway")?.addEventListener("click", () => {
  resolved();
  void save();
});
byId("take-theirs")?.addEventListener("click", () => {
  resolved();
  past.push(text);
  void load(byId("theirs")!.textContent ?? "", "history").then(keepSoon);
});

// ---------------------------------------------------------------- begin

beginKeys(rows, { edit, undo, redo, save, pick });
beginSuggestions(rows, draft, (path, value) => void edit("set", path, value));
void load(text, "start");
const wanted = new URL(location.href).searchParams.get("view");
if (wanted === "text" || wanted === "both") void setView(wanted);
