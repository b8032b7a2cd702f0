/** What every page runs; parts of it that few pages need are fetched when they are. */
import htmx from "htmx.org";
import { watchCharts } from "./charts";
import { make, meta } from "./dom";
import { beginDialogs } from "./dialog";
import { beginForms, beginFormsIn } from "./forms";
import { beginFrame } from "./frame";
import { beginLive, lineIs, watchLive } from "./live";
import { beginTables, boxTables, fitTables } from "./tables";
import { beginTips } from "./tips";
import { beginToasts, toast } from "./toasts";

Object.assign(htmx.config, {
  allowEval: false,
  includeIndicatorStyles: false,
  selfRequestsOnly: true,
  // Pages bear personal data: the browser's own cache is told to keep none, and neither does htmx.
  historyCacheSize: 0,
  refreshOnHistoryMiss: true,
  timeout: 60_000,
  responseHandling: [
    { code: "204", swap: false },
    { code: "[23]..", swap: true },
    // A form comes back with its errors beside the fields.
    { code: "422", swap: true },
    { code: "[45]..", swap: false, error: true },
  ],
});

const on = (name: string, heard: (detail: any, event: Event) => void): void =>
  document.addEventListener(name, (event) => heard((event as CustomEvent).detail, event));

on("htmx:configRequest", (detail) => {
  detail.headers["X-Shoal-Token"] = meta("token");
});
on("htmx:responseError", (detail, event) => {
  if (detail.xhr.status === 401) location.reload();
  else if (event.target instanceof HTMLElement && event.target.matches(".lazy")) failed(event.target);
  else toast({ text: said(detail.xhr) ?? "That didn't work. Nothing was changed.", bad: true });
});
on("htmx:sendError", () => {
  lineIs("lost");
  toast({ text: "The server can't be reached. Nothing was changed; try again.", bad: true });
});
on("htmx:timeout", () => toast({ text: "The server took too long to answer. Try again.", bad: true }));
on("htmx:afterRequest", (detail) => {
  if (detail.successful) lineIs("live");
});

/** A part that can't be loaded says so in its own place. */
const failed = (lazy: HTMLElement): void => {
  lazy.removeAttribute("aria-busy");
  lazy.replaceChildren(make("p", { class: "failed" }, "This part can't be shown now. Load the page again in a moment."));
};

const said = (answer: XMLHttpRequest): string | null => {
  try {
    const { problem, fix } = JSON.parse(answer.responseText).error;
    return [problem, fix].filter(Boolean).join(" ");
  } catch {
    return null;
  }
};

beginFrame();
beginTips();
beginDialogs();
beginForms();
beginTables();
beginToasts();
beginLive();
htmx.onLoad((part) => {
  if (!(part instanceof Element)) return;
  boxTables(part);
  fitTables();
  beginFormsIn(part);
  watchCharts(part);
  watchLive();
});
