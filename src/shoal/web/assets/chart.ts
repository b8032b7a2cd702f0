/** Draws a Vega-Lite definition with Vega's interpreter, so that the page's policy needs no eval; offers its exports. */
import { loader, parse, View, type Item, type Spec } from "vega";
import { expressionInterpreter } from "vega-interpreter";
import { compile, type TopLevelSpec } from "vega-lite";
import { asCsv, asTable } from "./chart-data";
import { dressed, rowsOf, type Definition } from "./chart-spec";
import { save } from "./download";
import { all, make } from "./dom";
import { darkNow } from "./frame";
import { hideTip, showTip } from "./tips";

type Mark = Item & { datum?: Record<string, unknown>; tooltip?: string | Record<string, unknown> };

interface Drawn {
  spec: Definition;
  view: View | null;
  width: number;
}

const held = new WeakMap<HTMLElement, Drawn>();

// Whatever a definition names outside of the page isn't fetched.
const closed = {
  ...loader(),
  load: () => Promise.reject(new Error("A chart holds its data itself.")),
  sanitize: (uri: string) => (uri.startsWith("/") ? Promise.resolve({ href: uri }) : Promise.reject(new Error(uri))),
};

const viewOf = (spec: Definition, container?: HTMLElement): View => {
  const { spec: full } = compile(spec as unknown as TopLevelSpec, { logger: quiet });
  return new View(parse(full as Spec, undefined, { ast: true }), {
    expr: expressionInterpreter,
    loader: closed as never,
    renderer: "svg",
    hover: container !== undefined,
    ...(container ? { container } : {}),
    tooltip: (_handler, event, _item, value: unknown) => {
      if (value === null || value === undefined || value === "") return hideTip();
      const { clientX: left, clientY: y } = event as MouseEvent;
      showTip(value as string, { left: left + 12, top: y, bottom: y + 8 });
    },
  });
};

const quiet = {
  level: () => quiet,
  error: (...words: readonly unknown[]) => (console.error(...words), quiet),
  warn: () => quiet,
  info: () => quiet,
  debug: () => quiet,
} as never;

/** What Vega keeps of a mark at its element. */
const itemOf = (mark: Element): Mark | undefined => (mark as unknown as { __data__?: Mark }).__data__;

/** Where a mark leads to: its row says so. */
const hrefOf = (item: Item | null | undefined): string | null => {
  const href = (item as Mark | null | undefined)?.datum?.["href"];
  return typeof href === "string" && href.startsWith("/") ? href : null;
};

/** Marks that lead somewhere are links for the keyboard too: one stop of the Tab key, arrows from one to the next. */
const reach = (art: HTMLElement): number => {
  // Vega names each group of marks by what it is drawn with; the picture has its words, and the table its figures.
  for (const part of all<SVGElement>("svg [role], svg [aria-roledescription]", art)) {
    for (const name of ["role", "aria-roledescription", "aria-label"]) part.removeAttribute(name);
  }
  const reached = new Set<string>();
  const marks = [...all<SVGElement>("svg path", art), ...all<SVGElement>("svg text", art)].filter((mark) => {
    const href = hrefOf(itemOf(mark));
    const first = href !== null && !reached.has(href);
    if (href) reached.add(href);
    return first;
  });
  marks.forEach((mark, place) => {
    mark.setAttribute("role", "link");
    mark.setAttribute("tabindex", place ? "-1" : "0");
    mark.setAttribute("aria-label", wordsOf(itemOf(mark)));
  });
  return marks.length;
};

const wordsOf = (item: Mark | undefined): string => {
  const tip = item?.tooltip;
  if (typeof tip === "string") return tip;
  return Object.entries(tip ?? item?.datum ?? {})
    .filter(([name, value]) => name !== "href" && ["string", "number"].includes(typeof value))
    .map(([name, value]) => `${name} ${String(value)}`)
    .join(", ");
};

const step = (event: KeyboardEvent): void => {
  const mark = event.target;
  if (!(mark instanceof SVGElement) || mark.getAttribute("role") !== "link") return;
  if (event.key === "Enter") return void location.assign(hrefOf(itemOf(mark)) ?? "");
  const by = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
  if (by === undefined) return;
  event.preventDefault();
  const marks = all<SVGElement>("[role=link]", mark.closest(".art") ?? document);
  const next = marks[(marks.indexOf(mark) + by + marks.length) % marks.length];
  if (!next) return;
  mark.setAttribute("tabindex", "-1");
  next.setAttribute("tabindex", "0");
  next.focus();
  showTip(next.getAttribute("aria-label") ?? "", next.getBoundingClientRect());
};

const widthOf = (art: HTMLElement): number => Math.max(240, Math.floor(art.clientWidth));

const addressOf = (figure: HTMLElement, width: number): string => {
  const url = new URL(figure.dataset["chart"] ?? "", location.href);
  url.searchParams.set("width", String(width));
  return url.pathname + url.search;
};

const fetched = async (figure: HTMLElement, width: number): Promise<Definition> => {
  const answer = await fetch(addressOf(figure, width), { headers: { Accept: "application/json" } });
  if (answer.status === 401) location.reload();
  const found = (await answer.json().catch(() => ({}))) as Partial<Definition>;
  if (!answer.ok || !found.$schema) throw new Error("The chart can't be read now. Load the page again in a moment.");
  return found as Definition;
};

const show = async (figure: HTMLElement, art: HTMLElement, { spec, width }: Drawn): Promise<View> => {
  const container = make("div");
  const view = viewOf(dressed(spec, { width, dark: darkNow(), titled: false }), container);
  view.addEventListener("click", (_event, item) => {
    const href = hrefOf(item);
    if (href) location.assign(href);
  });
  await view.runAsync();
  held.get(figure)?.view?.finalize();
  art.replaceChildren(container);
  const svg = art.querySelector("svg");
  const links = reach(art);
  svg?.setAttribute("role", links ? "group" : "img");
  svg?.setAttribute("aria-label", figure.querySelector("h3")?.textContent || spec.description || "Chart");
  return view;
};

/** Fetch a chart's definition and draw it in its figure. */
export const draw = async (figure: HTMLElement): Promise<void> => {
  const art = figure.querySelector<HTMLElement>(".art");
  if (!art) return;
  try {
    const width = widthOf(art);
    const drawn: Drawn = { spec: await fetched(figure, width), view: null, width };
    head(figure, drawn.spec);
    drawn.view = await show(figure, art, drawn);
    if (!held.has(figure)) begin(figure, art);
    held.set(figure, drawn);
    asTable(figure, rowsOf(drawn.spec));
  } catch (error) {
    art.replaceChildren(make("p", { class: "failed" }, String(error instanceof Error ? error.message : error)));
  }
  art.removeAttribute("aria-busy");
};

/** Title and subtitle stand in the page, in its own letters; only files bear them in the picture. */
const head = (figure: HTMLElement, spec: Definition): void => {
  const { title, subtitle } = spec.title ?? {};
  const fill = (selector: string, lines: string | string[] | undefined): void => {
    const place = figure.querySelector(selector);
    if (place && !place.textContent?.trim() && lines) place.textContent = [lines].flat().join(" ");
  };
  fill("h3", spec.title?.text ?? title);
  fill(".sub", subtitle);
};

const begin = (figure: HTMLElement, art: HTMLElement): void => {
  art.addEventListener("keydown", step);
  art.addEventListener("focusout", hideTip);
  figure.addEventListener("click", (event) => {
    const button = event.target instanceof Element ? event.target.closest<HTMLElement>("[data-as]") : null;
    if (button) void offer(figure, button.dataset["as"] ?? "");
  });
  document.addEventListener("shoal:theme", () => void again(figure, art, false));
  let waits = 0;
  new ResizeObserver(() => {
    clearTimeout(waits);
    waits = setTimeout(() => void again(figure, art, true), 150);
  }).observe(art);
};

const again = async (figure: HTMLElement, art: HTMLElement, resized: boolean): Promise<void> => {
  const drawn = held.get(figure);
  const width = widthOf(art);
  if (!drawn || !art.isConnected || art.clientWidth === 0 || (resized && Math.abs(width - drawn.width) < 4)) return;
  // How much room labels have is decided where the chart is made.
  const spec = resized ? await fetched(figure, width) : drawn.spec;
  const next: Drawn = { spec, view: null, width };
  next.view = await show(figure, art, next);
  held.set(figure, next);
};

const offer = async (figure: HTMLElement, as: string): Promise<void> => {
  const drawn = held.get(figure);
  if (!drawn) return;
  const { spec, width } = drawn;
  const name = figure.id || "chart";
  const paper = (): View => viewOf(dressed(spec, { width: Math.max(width, 640), dark: false, titled: true }));
  if (as === "svg") save(`${name}.svg`, "image/svg+xml", await paper().toSVG());
  if (as === "png") {
    const canvas = (await paper().toCanvas(2)) as unknown as HTMLCanvasElement;
    canvas.toBlob((blob) => blob && save(`${name}.png`, "image/png", blob));
  }
  if (as === "csv") save(`${name}.csv`, "text/csv", asCsv(rowsOf(spec)));
  if (as === "definition") save(`${name}.vl.json`, "application/json", JSON.stringify(spec, null, 2));
  if (as === "table") {
    const table = figure.querySelector<HTMLElement>(".as-table");
    if (!table) return;
    table.hidden = !table.hidden;
    for (const button of all('[data-as="table"]', figure)) {
      button.textContent = table.hidden ? "Show as a table" : "Hide the table";
      button.setAttribute("aria-expanded", String(!table.hidden));
    }
  }
  figure.querySelector<HTMLDetailsElement>("details.menu")?.removeAttribute("open");
};
