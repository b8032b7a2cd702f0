/** Dialogs: a button with data-opens opens the dialog of that id; data-closes closes the one it stands in. */
import { byId, near } from "./dom";

export const beginDialogs = (): void => {
  document.addEventListener("click", (event) => {
    const opener = near(event, "[data-opens]");
    const dialog = opener && byId(opener.dataset["opens"] ?? "");
    if (dialog instanceof HTMLDialogElement) {
      event.preventDefault();
      dialog.showModal();
    }
    if (near(event, "[data-closes]")) near<HTMLDialogElement>(event, "dialog")?.close();
    // What lies outside of the box itself is the backdrop.
    if (event.target instanceof HTMLDialogElement && outside(event.target, event)) event.target.close();
  });
};

const outside = (dialog: HTMLDialogElement, { clientX: x, clientY: y }: MouseEvent): boolean => {
  const { left, right, top, bottom } = dialog.getBoundingClientRect();
  return (x || y) !== 0 && (x < left || x > right || y < top || y > bottom);
};
