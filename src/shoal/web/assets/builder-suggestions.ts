/** Suggestions below a field: what the data has, with how often; chosen by mouse or by arrow keys and Enter. */
import { byId, make } from "./dom";
import { post } from "./builder-asking";

interface Suggestion {
  value: string;
  label: string;
  count: number | null;
}

export const beginSuggestions = (
  rows: HTMLElement,
  draft: () => Record<string, string>,
  chosen: (path: string, value: string) => void,
): void => {
  const list = byId("suggestions") as HTMLUListElement;
  let field: HTMLInputElement | null = null;
  let active = -1;
  let asked = new AbortController();

  const isField = (target: EventTarget | null): target is HTMLInputElement =>
    target instanceof HTMLInputElement && target.dataset["suggests"] !== undefined;

  const close = (): void => {
    asked.abort();
    list.hidden = true;
    field?.setAttribute("aria-expanded", "false");
    field?.removeAttribute("aria-activedescendant");
    field = null;
    active = -1;
  };

  const mark = (at: number): void => {
    const options = [...list.children];
    active = options.length ? (at + options.length) % options.length : -1;
    options.forEach((one, i) => one.setAttribute("aria-selected", String(i === active)));
    const one = options[active];
    if (!one) return;
    field?.setAttribute("aria-activedescendant", one.id);
    one.scrollIntoView({ block: "nearest" });
  };

  const take = (at: number): void => {
    const value = (list.children[at] as HTMLElement | undefined)?.dataset["value"];
    if (!field || value === undefined) return;
    const { path = "" } = field.dataset;
    field.value = value;
    field.dataset["sent"] = value;
    close();
    chosen(path, value);
  };

  const place = (): void => {
    if (!field) return;
    const { left, bottom, width } = field.getBoundingClientRect();
    list.style.left = `${Math.max(8, Math.min(left, innerWidth - 296))}px`;
    list.style.top = `${bottom + 2}px`;
    list.style.minWidth = `${width}px`;
  };

  const show = (found: Suggestion[]): void => {
    list.replaceChildren(
      ...found.map((one, i) => {
        const item = make("li", { role: "option", id: `suggestion-${i}`, "aria-selected": "false", "data-value": one.value }, make("span", {}, one.value));
        if (one.label) item.append(make("small", {}, one.label));
        if (one.count !== null) item.append(make("span", { class: "count" }, one.count.toLocaleString("en-GB")));
        return item;
      }),
    );
    list.hidden = !found.length;
    field?.setAttribute("aria-expanded", String(found.length > 0));
    active = -1;
    place();
  };

  const ask = async (typed: string): Promise<void> => {
    if (!field) return;
    asked.abort();
    asked = new AbortController();
    const { signal } = asked;
    const answer = await post<{ options: Suggestion[] }>("suggest", { ...draft(), path: field.dataset["path"] ?? "", typed }, signal);
    if (answer && !signal.aborted && field) show(answer.options);
  };

  rows.addEventListener("focusin", (event) => {
    if (!isField(event.target)) return;
    field = event.target;
    void ask("");
  });
  rows.addEventListener("input", (event) => {
    if (!isField(event.target)) return;
    field = event.target;
    void ask(field.value);
  });
  rows.addEventListener("focusout", (event) => {
    if (isField(event.target)) close();
  });
  rows.addEventListener("keydown", (event) => {
    if (!isField(event.target) || !field) return;
    if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      event.preventDefault();
      event.stopPropagation();
      mark(active + (event.key === "ArrowDown" ? 1 : active < 0 ? 0 : -1));
    } else if (event.key === "Enter" && active >= 0) {
      event.preventDefault();
      event.stopPropagation();
      take(active);
    } else if (event.key === "Escape" && !list.hidden) {
      event.preventDefault();
      event.stopPropagation();
      close();
    }
  });
  // Before the field loses the focus, which would close the list.
  list.addEventListener("pointerdown", (event) => {
    event.preventDefault();
    const item = (event.target as Element).closest("li");
    if (item) take([...list.children].indexOf(item));
  });
  addEventListener("resize", place);
  addEventListener("scroll", place, { passive: true });
};
