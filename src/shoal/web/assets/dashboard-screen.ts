/** A dashboard, or one tile of it, over the whole screen; Escape leads back. */
import { all, near } from "./dom";

const WHOLE = "whole-screen";
const ALL = "showing-all";

let opener: HTMLElement | null = null;

const back = (): void => {
  for (const tile of all(`.tile.${WHOLE}`)) tile.classList.remove(WHOLE);
  opener?.focus();
  opener = null;
};

const leave = (): void => {
  document.body.classList.remove(ALL);
  if (document.fullscreenElement) void document.exitFullscreen();
};

export const beginScreens = (): void => {
  document.addEventListener("click", (event) => {
    const whole = near(event, "[data-whole-screen]");
    const tile = whole?.closest<HTMLElement>(".tile");
    if (whole && tile) {
      if (tile.classList.contains(WHOLE)) return back();
      tile.classList.add(WHOLE);
      opener = whole;
      return;
    }
    if (!near(event, "[data-all-screen]")) return;
    if (document.body.classList.contains(ALL)) return leave();
    document.body.classList.add(ALL);
    // Where the browser doesn't let us have the screen, the page shows the dashboard alone all the same.
    document.documentElement.requestFullscreen?.().catch(() => undefined);
  });
  document.addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return;
    if (opener) back();
    else if (document.body.classList.contains(ALL)) leave();
  });
  document.addEventListener("fullscreenchange", () => {
    if (!document.fullscreenElement) document.body.classList.remove(ALL);
  });
};
