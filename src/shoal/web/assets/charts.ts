/** Charts: what draws them is large, and is fetched when the first one comes into sight. */
import { fresh, make } from "./dom";

const drawn = async (chart: HTMLElement): Promise<void> => {
  try {
    await (await import("./chart")).draw(chart);
  } catch {
    const art = chart.querySelector(".art");
    art?.replaceChildren(make("p", { class: "failed" }, "The chart can't be drawn now. Load the page again in a moment."));
    art?.removeAttribute("aria-busy");
  }
};

const seen = new IntersectionObserver(
  (entries) => {
    for (const { isIntersecting, target } of entries) {
      if (!isIntersecting || !(target instanceof HTMLElement)) continue;
      seen.unobserve(target);
      void drawn(target);
    }
  },
  { rootMargin: "320px" },
);

export const watchCharts = (part: Element): void => {
  for (const chart of fresh(part, "[data-chart]")) seen.observe(chart);
};

// What is printed must be drawn, in sight or not.
addEventListener("beforeprint", () => {
  for (const chart of fresh(document.body, "[data-chart]")) {
    if (chart.querySelector('.art[aria-busy="true"]')) void drawn(chart);
  }
});
