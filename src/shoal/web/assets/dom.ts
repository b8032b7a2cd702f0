/** Short words for what every script does with the page. */

export const all = <T extends Element = HTMLElement>(selector: string, root: ParentNode = document): T[] => [
  ...root.querySelectorAll<T>(selector),
];

/** All that fit a selector within what was just put into the page, itself included. */
export const fresh = <T extends HTMLElement = HTMLElement>(root: Element, selector: string): T[] =>
  [...(root.matches(selector) ? [root as T] : []), ...all<T>(selector, root)];

export const near = <T extends HTMLElement = HTMLElement>(event: Event, selector: string): T | null =>
  event.target instanceof Element ? event.target.closest<T>(selector) : null;

type Children = (Node | string)[];

export const make = <K extends keyof HTMLElementTagNameMap>(
  tag: K,
  attributes: Record<string, string> = {},
  ...children: Children
): HTMLElementTagNameMap[K] => {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.append(...children);
  return made;
};

export const meta = (name: string): string =>
  document.querySelector<HTMLMetaElement>(`meta[name="${name}"]`)?.content ?? "";

export const byId = (id: string): HTMLElement | null => document.getElementById(id);
