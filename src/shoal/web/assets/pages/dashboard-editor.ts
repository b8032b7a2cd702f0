/** The editor of a dashboard: its document is the state; what the page shows is made anew from it after each change. */
import htmx from "htmx.org";
import { all, byId, make, meta, near } from "../dom";
import { bounded, free, placed, type TileDocument } from "../dashboard-grid";

interface DashboardDocument {
  title: string;
  description?: string;
  owner?: string;
  filters: { segment?: string; period?: string };
  tiles: TileDocument[];
}

const desk = document.querySelector<HTMLElement>("[data-editor]")!;
const grid = byId("tiles")!;
const settings = byId("settings") as HTMLFormElement;
const panel = byId("tile-form")!;
const preview = byId("preview")!;
const undo = byId("undo") as HTMLButtonElement;
const redo = byId("redo") as HTMLButtonElement;
const read = (id: string): any => JSON.parse((byId(id) as HTMLTextAreaElement).value);
const sizes = read("sizes") as Record<string, [number, number]>;
const base = `/dashboards/${desk.dataset["slug"] ?? "new"}`;

let held = read("document") as DashboardDocument;
let past: string[] = [];
let future: string[] = [];
let chosen = -1;
let saved = JSON.stringify(held);
let leaving = false;

const announce = (text: string): void => {
  byId("announced")!.textContent = text;
};

const titleOf = (tile: TileDocument): string => {
  const asked = tile["metric"] ?? tile["metrics"] ?? tile["live"] ?? tile["of"] ?? tile["funnel"] ?? tile["steps"] ?? tile["between"] ?? tile["text"];
  return String(tile["title"] || [asked ?? ""].flat().join(", ")).slice(0, 80);
};

const KINDS: Record<string, string> = Object.fromEntries(
  all("[data-add]").map((button) => [button.dataset["add"] ?? "", button.textContent?.trim() ?? ""]),
);

const whereOf = ([x, y, w, h]: TileDocument["at"]): string => `column ${x + 1}, row ${y + 1}, ${w} wide, ${h} high`;

// ------------------------------------------------------------ state

const change = (next: DashboardDocument): void => {
  past.push(JSON.stringify(held));
  future = [];
  held = next;
  show();
};

const go = (from: string[], to: string[]): void => {
  const text = from.pop();
  if (text === undefined) return;
  to.push(JSON.stringify(held));
  held = JSON.parse(text) as DashboardDocument;
  if (chosen >= held.tiles.length) chosen = -1;
  fillSettings();
  show();
  void openForm();
};

const fillSettings = (): void => {
  const values: Record<string, string> = { title: held.title, description: held.description ?? "", owner: held.owner ?? "", segment: held.filters.segment ?? "", period: held.filters.period ?? "" };
  for (const [name, value] of Object.entries(values)) (settings.elements.namedItem(name) as HTMLInputElement).value = value;
};

const show = (): void => {
  undo.disabled = !past.length;
  redo.disabled = !future.length;
  byId("nothing")!.hidden = held.tiles.length > 0;
  const focused = document.activeElement instanceof HTMLElement ? document.activeElement.closest<HTMLElement>("#tiles .tile") : null;
  grid.replaceChildren(...held.tiles.map(drawnTile));
  if (focused) grid.children[chosen] instanceof HTMLElement && (grid.children[chosen] as HTMLElement).focus();
};

const drawnTile = (tile: TileDocument, number: number): HTMLElement => {
  const [x, y, w, h] = tile.at;
  const kind = KINDS[tile.kind] ?? tile.kind;
  const words = [titleOf(tile), kind].filter(Boolean);
  const made = make(
    "div",
    { class: `tile x-${x} y-${y} w-${w} h-${h}${number === chosen ? " chosen" : ""}`, tabindex: "0", role: "button", "aria-pressed": String(number === chosen), "data-number": String(number) },
    ...words.map((word, at) => make("p", { class: at ? "asks" : "name" }, `${word} `)),
    make("span", { class: "out-of-sight" }, whereOf(tile.at)),
    make("span", { class: "corner", "aria-hidden": "true" }),
  );
  return made;
};

// ------------------------------------------------------------ tiles

const choose = (number: number): void => {
  if (chosen === number) return;
  chosen = number;
  for (const tile of all("#tiles .tile")) {
    const on = tile.dataset["number"] === String(number);
    tile.classList.toggle("chosen", on);
    tile.setAttribute("aria-pressed", String(on));
  }
  void openForm();
};

const move = (number: number, at: TileDocument["at"]): void => {
  const tile = held.tiles[number];
  if (!tile || String(bounded(at)) === String(tile.at)) return;
  change({ ...held, tiles: placed(held.tiles, number, at) });
  announce(`${held.tiles[number]!.kind}: ${whereOf(held.tiles[number]!.at)}`);
};

const remove = (number: number): void => {
  const gone = held.tiles[number];
  if (!gone) return;
  chosen = -1;
  change({ ...held, tiles: held.tiles.filter((_, at) => at !== number) });
  announce(`Removed ${gone.kind} ${titleOf(gone)}. Undo brings it back.`);
  void openForm();
  (grid.children[Math.min(number, held.tiles.length - 1)] as HTMLElement | undefined)?.focus();
};

const add = (kind: string): void => {
  const tile: TileDocument = { kind, at: free(held.tiles, sizes[kind] ?? [6, 4]), ...(kind === "text" ? { text: "Some words" } : {}) };
  chosen = held.tiles.length;
  change({ ...held, tiles: [...held.tiles, tile] });
  announce(`Added ${kind}: ${whereOf(tile.at)}`);
  void openForm(true);
};

// ------------------------------------------------------------ the form of a tile

const asking = async (what: string, more: Record<string, string> = {}): Promise<Response> => {
  const query = new URLSearchParams({ tile: JSON.stringify(held.tiles[chosen]), ...more });
  const answer = await fetch(`${base}/${what}?${query}`, { headers: { "HX-Request": "true", Accept: "text/html, application/json" } });
  if (answer.status === 401) location.reload();
  return answer;
};

const openForm = async (focus = false): Promise<void> => {
  const asked = chosen;
  if (asked < 0) {
    panel.replaceChildren();
    preview.replaceChildren();
    return;
  }
  const answer = await asking("form");
  if (asked !== chosen || !answer.ok) return;
  panel.innerHTML = await answer.text();
  htmx.process(panel);
  if (focus) panel.querySelector<HTMLElement>("select, input, textarea")?.focus();
  await check();
};

const valueOf = (field: Element): unknown => {
  if (field instanceof HTMLSelectElement && field.multiple) return [...field.selectedOptions].map((one) => one.value);
  const value = (field as HTMLInputElement).value;
  if (field instanceof HTMLTextAreaElement && "lines" in field.dataset) return value.split("\n").map((line) => line.trim()).filter(Boolean);
  if (field instanceof HTMLInputElement && field.type === "number") return value === "" ? "" : Number(value);
  return value.trim();
};

const filled = (form: HTMLFormElement, tile: TileDocument): TileDocument => {
  const next: TileDocument = { kind: tile.kind, at: tile.at };
  for (const field of form.elements) {
    const name = field.getAttribute("name");
    const value = name ? valueOf(field) : "";
    if (name && value !== "" && !(Array.isArray(value) && !value.length)) next[name] = value;
  }
  return next;
};

/** Say what is wrong beside the field; where nothing is, show how the tile looks. */
const check = async (): Promise<void> => {
  const asked = chosen;
  const answer = await asking("check");
  const found = (await answer.json().catch(() => ({}))) as { problem?: string; fix?: string; key?: string };
  if (asked !== chosen) return;
  for (const old of all(".error:not([data-form-fault])", panel)) old.remove();
  for (const field of all("[aria-invalid]", panel)) field.removeAttribute("aria-invalid");
  const general = panel.querySelector<HTMLElement>("[data-form-fault]");
  if (general) general.hidden = true;
  if (answer.ok && !found.problem) return look(asked);
  const text = [found.problem, found.fix].filter(Boolean).join(" ");
  const place = found.key ? panel.querySelector<HTMLElement>(`[data-field="${CSS.escape(found.key)}"]`) : null;
  if (place) {
    place.querySelector("input, select, textarea")?.setAttribute("aria-invalid", "true");
    place.append(make("p", { class: "error" }, text));
  } else if (general) {
    general.textContent = text;
    general.hidden = false;
  }
  preview.replaceChildren();
};

const look = async (asked: number): Promise<void> => {
  preview.setAttribute("aria-busy", "true");
  const answer = await asking("preview", { segment: held.filters.segment ?? "", period: held.filters.period ?? "" });
  if (asked !== chosen) return;
  preview.removeAttribute("aria-busy");
  if (!answer.ok) return void preview.replaceChildren(make("p", { class: "failed" }, "The preview can't be shown now."));
  htmx.swap(preview, await answer.text(), { swapStyle: "innerHTML" } as never);
};

let waits = 0;
panel.addEventListener("input", (event) => {
  const form = near<HTMLFormElement>(event, "form");
  const tile = held.tiles[chosen];
  if (!form || !tile) return;
  clearTimeout(waits);
  waits = setTimeout(() => {
    const next = filled(form, tile);
    if (JSON.stringify(next) === JSON.stringify(held.tiles[chosen])) return;
    change({ ...held, tiles: held.tiles.map((one, at) => (at === chosen ? { ...next, at: one.at } : one)) });
    void check();
  }, 350);
});
panel.addEventListener("submit", (event) => event.preventDefault());
panel.addEventListener("click", (event) => {
  if (near(event, "[data-remove-tile]")) remove(chosen);
});

// ------------------------------------------------------------ mouse and keyboard

interface Drag {
  number: number;
  at: TileDocument["at"];
  x: number;
  y: number;
  resizes: boolean;
  moved: boolean;
}

let drag: Drag | null = null;

const cell = (): [number, number] => {
  const style = getComputedStyle(grid);
  const [gapX, gapY] = [parseFloat(style.columnGap) || 0, parseFloat(style.rowGap) || 0];
  return [(grid.clientWidth + gapX) / 12, 56 + gapY];
};

grid.addEventListener("pointerdown", (event) => {
  const tile = near(event, ".tile");
  if (!tile || event.button !== 0) return;
  const number = Number(tile.dataset["number"]);
  drag = { number, at: held.tiles[number]!.at, x: event.clientX, y: event.clientY, resizes: near(event, ".corner") !== null, moved: false };
  tile.setPointerCapture(event.pointerId);
});

const dragged = (event: PointerEvent, { at: [x, y, w, h], x: fromX, y: fromY, resizes }: Drag): TileDocument["at"] => {
  const [wide, high] = cell();
  const [right, down] = [Math.round((event.clientX - fromX) / wide), Math.round((event.clientY - fromY) / high)];
  return bounded(resizes ? [x, y, Math.min(w + right, 12 - x), h + down] : [x + right, y + down, w, h]);
};

grid.addEventListener("pointermove", (event) => {
  if (!drag) return;
  const tile = grid.children[drag.number];
  if (!(tile instanceof HTMLElement)) return;
  const [x, y, w, h] = dragged(event, drag);
  drag.moved ||= Math.abs(event.clientX - drag.x) + Math.abs(event.clientY - drag.y) > 4;
  if (drag.moved) tile.className = `tile moving chosen x-${x} y-${y} w-${w} h-${h}`;
});

grid.addEventListener("pointerup", (event) => {
  if (!drag) return;
  const done = drag;
  drag = null;
  choose(done.number);
  if (done.moved) move(done.number, dragged(event, done));
  show();
  (grid.children[done.number] as HTMLElement | undefined)?.focus();
});
grid.addEventListener("pointercancel", () => {
  drag = null;
  show();
});

grid.addEventListener("keydown", (event) => {
  const tile = near(event, ".tile");
  if (!tile) return;
  const number = Number(tile.dataset["number"]);
  const [x, y, w, h] = held.tiles[number]!.at;
  const step = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key];
  if (step) {
    event.preventDefault();
    choose(number);
    const [right, down] = step as [number, number];
    move(number, event.shiftKey ? [x, y, Math.min(w + right, 12 - x), h + down] : [x + right, y + down, w, h]);
    (grid.children[number] as HTMLElement | undefined)?.focus();
  } else if (event.key === "Enter" || event.key === " ") {
    event.preventDefault();
    choose(number);
    panel.querySelector<HTMLElement>("select, input, textarea")?.focus();
  } else if (event.key === "Delete" || event.key === "Backspace") {
    event.preventDefault();
    remove(number);
  }
});

document.addEventListener("keydown", (event) => {
  if (!(event.ctrlKey || event.metaKey) || event.target instanceof HTMLInputElement || event.target instanceof HTMLTextAreaElement) return;
  const key = event.key.toLowerCase();
  if (key === "z" && !event.shiftKey) go(past, future);
  else if ((key === "z" && event.shiftKey) || key === "y") go(future, past);
  else return;
  event.preventDefault();
});
undo.addEventListener("click", () => go(past, future));
redo.addEventListener("click", () => go(future, past));
for (const button of all("[data-add]")) button.addEventListener("click", () => add(button.dataset["add"] ?? ""));

settings.addEventListener("change", () => {
  const said = new FormData(settings);
  const text = (name: string): string => String(said.get(name) ?? "").trim();
  change({ ...held, title: text("title"), description: text("description"), owner: text("owner"), filters: { segment: text("segment"), period: text("period") } });
});
settings.addEventListener("submit", (event) => event.preventDefault());

// ------------------------------------------------------------ saving

interface Refusal {
  problem?: string;
  fix?: string;
  tile?: number | null;
  key?: string;
  why?: string;
}

const fault = ({ problem, fix, tile, key }: Refusal): void => {
  const said = [problem ?? "It couldn't be saved.", fix].filter(Boolean).join(" ");
  const which = tile === null || tile === undefined ? "" : `Tile ${tile + 1}: `;
  byId("fault")!.replaceChildren(make("div", { class: "notice bad" }, make("p", {}, which + said)));
  if (tile !== null && tile !== undefined) choose(tile);
  if (key) (settings.elements.namedItem(key) as HTMLElement | null)?.focus();
};

const save = async (more: Record<string, string> = {}): Promise<void> => {
  const button = byId("save") as HTMLButtonElement;
  button.disabled = true;
  try {
    const body = new URLSearchParams({ document: JSON.stringify(held), base: desk.dataset["base"] ?? "", ...more });
    const answer = await fetch(`${base}/save`, { method: "POST", body, headers: { "X-Shoal-Token": meta("token"), "HX-Request": "true" } });
    const found = (await answer.json().catch(() => ({}))) as Refusal & { href?: string };
    if (answer.ok && found.href) {
      leaving = true;
      saved = JSON.stringify(held);
      location.assign(found.href);
    } else if (found.why === "comments") {
      byId("comments-text")!.textContent = `${found.problem ?? ""} ${found.fix ?? ""}`;
      (byId("comments") as HTMLDialogElement).showModal();
    } else if (found.why === "changed") (byId("conflict") as HTMLDialogElement).showModal();
    else fault(found);
  } catch {
    fault({ problem: "The server can't be reached. Nothing was saved; try again." });
  }
  button.disabled = false;
};

byId("save")!.addEventListener("click", () => void save());
byId("lose")!.addEventListener("click", () => void save({ lose: "yes" }));
byId("copy")!.addEventListener("click", () => void save({ copy: "yes" }));
addEventListener("beforeunload", (event) => {
  if (!leaving && JSON.stringify(held) !== saved) event.preventDefault();
});

show();
