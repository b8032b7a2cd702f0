/** Tables: a row opens what its link leads to, and a table that doesn't fit becomes cards. */
import { all, fresh, make, near } from "./dom";

const NARROW = 840;

const stack = (box: HTMLElement): void => {
  const heads = all("thead th", box).map((head) => head.innerText.trim());
  for (const row of all<HTMLTableRowElement>("tbody tr", box))
    for (const cell of row.cells) cell.dataset["head"] ??= heads[cell.cellIndex] ?? "";
  box.classList.add("stacked");
};

/** A table that stands alone gets the box that lets it be scrolled, or become cards. */
export const boxTables = (part: Element): void => {
  for (const table of fresh<HTMLTableElement>(part, "main table")) {
    if (table.closest(".scroll, .as-table")) continue;
    const box = make("div", { class: "scroll" });
    table.replaceWith(box);
    box.append(table);
  }
};

/** A head can stick to the window only where its table needn't scroll sideways. */
export const fitTables = (): void => {
  for (const box of all(".scroll")) {
    box.classList.remove("fits", "stacked");
    const fits = box.scrollWidth <= box.clientWidth;
    box.classList.toggle("fits", fits);
    if (fits) box.removeAttribute("tabindex");
    else if (innerWidth <= NARROW) stack(box);
    else box.tabIndex = 0;
  }
};

const open = (event: MouseEvent): void => {
  const row = near<HTMLTableRowElement>(event, "tr[data-href]");
  if (!row || near(event, "a, button, input, label, select, summary, dialog") || String(getSelection())) return;
  const href = row.dataset["href"] ?? "";
  if (event.ctrlKey || event.metaKey || event.button === 1) window.open(href, "_blank", "noopener");
  else if (event.button === 0) location.assign(href);
};

export const beginTables = (): void => {
  document.addEventListener("click", open);
  document.addEventListener("auxclick", open);
  let waits = 0;
  addEventListener("resize", () => {
    cancelAnimationFrame(waits);
    waits = requestAnimationFrame(fitTables);
  });
};
