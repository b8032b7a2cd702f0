/** What was done is said at the foot of the page, with a way back where there is one. */
import htmx from "htmx.org";
import { byId, make } from "./dom";

export interface Toast {
  text: string;
  /** Where to POST to undo it. */
  undo?: string;
  bad?: boolean;
}

const STAYS = 8_000;

export const toast = ({ text, undo, bad }: Toast): void => {
  const place = byId("toasts");
  if (!place) return;
  const close = make("button", { type: "button", class: "close", "aria-label": "Close" }, "×");
  const shown = make("div", { class: bad ? "toast bad" : "toast" }, make("p", {}, text));
  if (undo) {
    const back = make("button", { type: "button" }, "Undo");
    back.addEventListener("click", () => {
      shown.remove();
      void htmx.ajax("post", undo, { target: "body", swap: "none" });
    });
    shown.append(back);
  }
  shown.append(close);
  close.addEventListener("click", () => shown.remove());
  place.append(shown);
  // What went wrong stays until it is closed, and so does whatever the reader points at.
  if (!bad) setTimeout(() => leave(shown), STAYS);
};

const leave = (shown: HTMLElement): void => {
  if (shown.matches(":hover, :focus-within")) setTimeout(() => leave(shown), STAYS / 4);
  else shown.remove();
};

/** After a redirect the server says it in a cookie, which is read once. */
const fromCookie = (): void => {
  const found = document.cookie.split("; ").find((pair) => pair.startsWith("told="));
  if (!found) return;
  document.cookie = "told=; path=/; max-age=0; samesite=lax";
  try {
    toast(JSON.parse(decodeURIComponent(found.slice("told=".length))) as Toast);
  } catch {
    // A cookie that isn't ours says nothing.
  }
};

export const beginToasts = (): void => {
  document.addEventListener("told", (event) => toast((event as CustomEvent<Toast>).detail));
  fromCookie();
};
