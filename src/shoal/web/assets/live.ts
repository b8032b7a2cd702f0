/** What is live on the page: elements with data-live get their text from the server as it changes. */
import { all } from "./dom";

export type Line = "waiting" | "live" | "lost";

const WORDS: Record<Line, string> = {
  waiting: "Connecting",
  live: "Live",
  lost: "Connection lost – trying again",
};
const LONGEST = 15_000;

let source: EventSource | null = null;
let watched = "";
let tries = 0;
let retry = 0;

/** Say how the line to the server is. */
export const lineIs = (line: Line): void => {
  for (const mark of all("[data-line]")) {
    if (mark.dataset["state"] === line) continue;
    mark.dataset["state"] = line;
    const words = mark.querySelector("span");
    if (words) words.textContent = WORDS[line];
  }
};

const keys = (): string => [...new Set(all("[data-live]").map((part) => part.dataset["live"] ?? ""))].sort().join(",");

const take = (event: MessageEvent<string>): void => {
  const values = JSON.parse(event.data) as Record<string, string>;
  for (const part of all("[data-live]")) {
    const value = values[part.dataset["live"] ?? ""];
    if (value !== undefined && part.textContent !== value) {
      part.textContent = value;
      part.dispatchEvent(new CustomEvent("shoal:live", { bubbles: true, detail: value }));
    }
  }
};

const stop = (): void => {
  clearTimeout(retry);
  source?.close();
  source = null;
};

const open = (): void => {
  stop();
  watched = keys();
  source = new EventSource(`/live?watch=${encodeURIComponent(watched)}`);
  source.addEventListener("open", () => {
    tries = 0;
    lineIs("live");
  });
  source.addEventListener("values", take);
  source.addEventListener("error", () => {
    lineIs("lost");
    // The browser gives up where the server answers with an error, as while it starts.
    stop();
    tries += 1;
    retry = setTimeout(open, Math.min(LONGEST, 500 * 2 ** tries));
  });
};

/** Look again at what the page shows live, after a part of it was replaced. */
export const watchLive = (): void => {
  if (source && keys() !== watched) open();
};

export const beginLive = (): void => {
  if (!document.querySelector("[data-line]")) return;
  // A browser keeps six lines to a server: a page that nobody looks at gives its own back.
  const look = (): void => {
    if (document.visibilityState === "hidden") stop();
    else if (!source) open();
  };
  document.addEventListener("visibilitychange", look);
  addEventListener("offline", () => lineIs("lost"));
  addEventListener("online", open);
  addEventListener("pagehide", stop);
  look();
};
