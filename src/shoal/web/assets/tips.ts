/** Explanations: one box that is shown beside whatever has data-tip, on hover, on focus and on touch. */
import { make, near } from "./dom";

const box = make("div", { class: "tip", role: "tooltip", id: "tip", hidden: "" });

type Content = string | Record<string, unknown>;

const rows = (values: Record<string, unknown>): HTMLElement => {
  const list = make("dl");
  for (const [name, value] of Object.entries(values)) {
    const text = String(value ?? "–");
    list.append(make("dt", {}, name), make("dd", /^[−-]?[\d.,]+/.test(text) ? {} : { class: "text" }, text));
  }
  return list;
};

/** Show a text, or names and values, beside a point or below a box, within the window. */
export const showTip = (content: Content, at: { left: number; top: number; bottom: number }): void => {
  box.replaceChildren(typeof content === "string" ? content : rows(content));
  const host = document.querySelector("dialog[open]") ?? document.body;
  if (box.parentElement !== host) host.append(box);
  box.hidden = false;
  const { offsetWidth: width, offsetHeight: height } = box;
  const below = at.bottom + 8 + height <= innerHeight;
  box.style.left = `${Math.max(8, Math.min(at.left, innerWidth - width - 8))}px`;
  box.style.top = `${below ? at.bottom + 8 : Math.max(8, at.top - height - 8)}px`;
};

export const hideTip = (): void => {
  box.hidden = true;
};

const show = (event: Event): void => {
  const term = near(event, "[data-tip]");
  if (term) showTip(term.dataset["tip"] ?? "", term.getBoundingClientRect());
};

const hide = (event: Event): void => {
  if (near(event, "[data-tip]")) hideTip();
};

export const beginTips = (): void => {
  for (const kind of ["pointerover", "focusin", "click"]) document.addEventListener(kind, show);
  for (const kind of ["pointerout", "focusout"]) document.addEventListener(kind, hide);
  document.addEventListener("keydown", (event) => event.key === "Escape" && hideTip());
  document.addEventListener("scroll", hideTip, { capture: true, passive: true });
};
