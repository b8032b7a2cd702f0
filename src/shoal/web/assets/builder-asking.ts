/** What the builder asks the server: the newest question of each kind counts, and a lost line is waited for. */
import { all, byId, meta } from "./dom";
import { lineIs } from "./live";
import { toast } from "./toasts";

const RETRY = 1_500;

const pause = (time: number): Promise<void> => new Promise((done) => setTimeout(done, time));

/** The answer to a question; null where it was refused, which has been said. */
export const post = async <T>(
  what: string,
  fields: Record<string, string>,
  signal?: AbortSignal,
): Promise<T | null> => {
  for (;;) {
    let answer: Response;
    let body = "";
    try {
      answer = await fetch(`/segments/build/${what}`, {
        method: "POST",
        headers: { "X-Shoal-Token": meta("token"), "HX-Request": "true" },
        body: new URLSearchParams(fields),
        ...(signal ? { signal } : {}),
      });
      body = await answer.text();
    } catch {
      if (signal?.aborted) return null;
      lineIs("lost");
      await pause(RETRY);
      if (signal?.aborted) return null;
      continue;
    }
    if (answer.status === 401) {
      location.reload();
      return null;
    }
    const html = !answer.headers.get("content-type")?.includes("json");
    if (!answer.ok) {
      const words = new DOMParser().parseFromString(html ? body : "", "text/html").body.textContent?.replace(/\s+/g, " ").trim();
      toast({ text: words || "That didn't work. Nothing was changed.", bad: true });
      return null;
    }
    return (html ? body : JSON.parse(body)) as T;
  }
};

interface Size {
  alone: number;
  remaining: number;
  before: number;
  everyone: number;
}

interface Sizes {
  html: string;
  rows: Record<string, Size>;
  waiting?: boolean;
}

let asking = new AbortController();
let timer = 0;
let later = 0;

/** The sizes first; reach, overlap and members when nothing more is changed for a moment. */
export const sizesOf = (draft: Record<string, string>, rows: HTMLElement): void => {
  clearTimeout(timer);
  clearTimeout(later);
  for (const part of all("#sizes, [data-lazy]")) part.setAttribute("aria-busy", "true");
  timer = window.setTimeout(async () => {
    asking.abort();
    asking = new AbortController();
    const { signal } = asking;
    let found = await post<Sizes>("sizes", draft, signal);
    if (found?.waiting && !signal.aborted) {
      put(byId("sizes")!, found.html);
      found = await post<Sizes>("sizes", { ...draft, patient: "yes" }, signal);
    }
    if (!found || signal.aborted) return;
    put(byId("sizes")!, found.html);
    writeSizes(rows, found.rows);
    later = window.setTimeout(() => {
      for (const part of all("[data-lazy]")) void fill(part, draft, signal);
    }, 250);
  }, 40);
};

const fill = async (part: HTMLElement, draft: Record<string, string>, signal: AbortSignal): Promise<void> => {
  const html = await post<string>(part.dataset["lazy"] ?? "", draft, signal);
  if (html !== null && !signal.aborted) put(part, html);
};

const put = (part: HTMLElement, html: string): void => {
  part.innerHTML = html;
  part.removeAttribute("aria-busy");
};

const written = (value: number): string => value.toLocaleString("en-GB");

export const writeSizes = (rows: HTMLElement, sizes: Record<string, Size>): void => {
  for (const place of all("[data-size]", rows)) {
    const size = sizes[place.dataset["size"] ?? ""];
    place.replaceChildren();
    if (!size) continue;
    const here = document.createElement("strong");
    here.textContent = written(size.remaining);
    place.append(here);
    place.title = `${written(size.alone)} by itself; ${written(size.remaining)} of the ${written(size.before)} before it remain`;
    if (size.alone !== size.remaining) {
      const alone = document.createElement("small");
      alone.textContent = `of ${written(size.alone)} alone`;
      place.append(alone);
    }
  }
};
