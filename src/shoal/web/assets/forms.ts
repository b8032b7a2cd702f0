/** Forms: what was typed isn't lost, a fault is where it is read, and nothing is sent twice. */
import { all, fresh, near } from "./dom";

const CHANGED = "changed";

const changed = (form: HTMLFormElement): boolean => form.dataset[CHANGED] === "yes";

const mark = (form: HTMLFormElement, yes: boolean): void => {
  form.dataset[CHANGED] = yes ? "yes" : "no";
  for (const note of all(".unsaved", form)) note.hidden = !yes;
};

/** The first field with a fault gets the focus, so that it is read out and in sight. */
export const beginFormsIn = (part: Element): void => {
  const faulty = fresh(part, '[aria-invalid="true"]')[0];
  faulty?.focus();
  for (const form of fresh<HTMLFormElement>(part, "form[data-guard]")) {
    // A form that comes back with faults holds what nobody has saved yet.
    if (form.querySelector('[aria-invalid="true"]')) mark(form, true);
  }
};

const leave = (event: BeforeUnloadEvent): void => {
  if (all<HTMLFormElement>("form[data-guard]").some(changed)) event.preventDefault();
};

const send = (event: SubmitEvent): void => {
  const form = event.target;
  if (!(form instanceof HTMLFormElement) || event.defaultPrevented) return;
  mark(form, false);
  if (form.method !== "post" || form.hasAttribute("hx-post")) return;
  if (form.dataset["sent"]) event.preventDefault();
  form.dataset["sent"] = "yes";
  // Whoever comes back by the browser's own button may send again.
  addEventListener("pageshow", () => delete form.dataset["sent"], { once: true });
};

export const beginForms = (): void => {
  document.addEventListener("input", (event) => {
    const form = near<HTMLFormElement>(event, "form[data-guard]");
    if (form) mark(form, true);
    const field = near(event, '[aria-invalid="true"]');
    field?.removeAttribute("aria-invalid");
  });
  document.addEventListener("change", (event) => {
    near<HTMLInputElement>(event, "[data-submits]")?.form?.requestSubmit();
  });
  document.addEventListener("submit", send);
  document.addEventListener("htmx:afterRequest", (event) => {
    const { detail, target } = event as CustomEvent<{ successful: boolean }>;
    if (target instanceof HTMLFormElement && !detail.successful) mark(target, true);
  });
  addEventListener("beforeunload", leave);
};
