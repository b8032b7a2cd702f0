/** Charts: what draws them is large, and is fetched when the first one comes into sight. */
import { fresh } from "./dom";

const seen = new IntersectionObserver(
  (entries) => {
    for (const { isIntersecting, target } of entries) {
      if (!isIntersecting || !(target instanceof HTMLElement)) continue;
      seen.unobserve(target);
      void import("./chart").then(({ draw }) => draw(target));
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
    if (chart.querySelector('.art[aria-busy="true"]')) void import("./chart").then(({ draw }) => draw(chart));
  }
});
