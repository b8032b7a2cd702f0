/** The data of a chart, to be read: as a table beside it, and as CSV. */
import type { Row } from "./chart-spec";
import { make } from "./dom";

interface Data {
  rows: Row[];
  heads: Record<string, string>;
}

const plain = (value: unknown): string =>
  value === null || value === undefined ? "" : typeof value === "object" ? JSON.stringify(value) : String(value);

const namesOf = (rows: Row[]): string[] => [...new Set(rows.flatMap(Object.keys))].filter((name) => name !== "href");

const headOf = (name: string, heads: Record<string, string>): string =>
  heads[name] ?? (name.charAt(0).toUpperCase() + name.slice(1)).replaceAll("_", " ");

const shown = (value: unknown): string =>
  typeof value === "number"
    ? value.toLocaleString("en", { maximumSignificantDigits: Math.abs(value) >= 1000 ? 15 : 4, maximumFractionDigits: 4 })
    : plain(value);

/** Write the table beside the picture, from which it can be read without seeing the picture. */
export const asTable = (figure: HTMLElement, { rows, heads }: Data): void => {
  const place = figure.querySelector<HTMLElement>(".as-table");
  if (!place) return;
  const names = namesOf(rows);
  const number = (name: string): boolean => rows.some((row) => typeof row[name] === "number");
  const form = (name: string): Record<string, string> => (number(name) ? { class: "number" } : {});
  const head = names.map((name) => make("th", { scope: "col", ...form(name) }, headOf(name, heads)));
  const body = rows.map((row) => {
    const cells = names.map((name) => make("td", form(name), shown(row[name])));
    const href = row["href"];
    const first = cells[0];
    if (first && typeof href === "string" && href.startsWith("/")) {
      first.replaceChildren(make("a", { href }, first.textContent || "Open"));
    }
    return make("tr", {}, ...cells);
  });
  place.replaceChildren(
    make("table", {}, make("thead", {}, make("tr", {}, ...head)), make("tbody", {}, ...body)),
  );
  place.tabIndex = 0;
  place.setAttribute("role", "region");
  place.setAttribute("aria-label", `${figure.querySelector("h3")?.textContent || "Chart"}, as a table`);
};

// A spreadsheet runs a text that begins like a formula; a number is none.
const defused = (text: string): string =>
  Number.isNaN(Number(text)) && /^\s*[=+\-@\t\r\n＝＋－＠]/.test(text) ? `'${text}` : text;

const quoted = (text: string): string => (/[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text);

/** The rows as CSV, safe to be opened in a spreadsheet. */
export const asCsv = ({ rows }: Data): string => {
  const names = namesOf(rows);
  const lines = [names, ...rows.map((row) => names.map((name) => plain(row[name])))];
  return lines.map((line) => line.map((cell) => quoted(defused(cell))).join(",")).join("\r\n") + "\r\n";
};
