/** What is done to a definition before it is drawn in a page: width, colours, local dates, and its data as rows. */
import dark from "./dark.json";

export type Row = Record<string, unknown>;

export interface Definition {
  $schema: string;
  description?: string;
  title?: { text?: string | string[]; title?: string; subtitle?: string | string[] };
  width?: number | string;
  usermeta?: { rows?: Row[]; heads?: Record<string, string> };
  [more: string]: unknown;
}

interface How {
  width: number;
  dark: boolean;
  titled: boolean;
}

const COLOURS = dark as Record<string, string>;

/** A copy of any part of a definition in dark colours; data stay as they are. */
const darkened = (part: unknown): unknown => {
  if (typeof part === "string") return COLOURS[part.toLowerCase()] ?? part;
  if (Array.isArray(part)) return part.map(darkened);
  if (part === null || typeof part !== "object") return part;
  return Object.fromEntries(
    Object.entries(part).map(([name, value]) => [name, name === "data" || name === "datasets" ? value : darkened(value)]),
  );
};

const objects = function* (part: unknown): Generator<Row> {
  if (Array.isArray(part)) for (const each of part) yield* objects(each);
  else if (part && typeof part === "object") {
    yield part as Row;
    for (const [name, value] of Object.entries(part)) if (name !== "values") yield* objects(value);
  }
};

const DAY = /^\d{4}-\d\d-\d\d$/;

/** Days are days of the workspace: read as instants of UTC, they would be shown a day early west of Greenwich. */
const withLocalDays = (spec: Definition): Definition => {
  const copy = structuredClone(spec);
  const fields = new Set([...objects(copy)].filter((part) => part["type"] === "temporal").map((part) => part["field"]));
  for (const part of objects(copy)) {
    const values = part["values"];
    if (!Array.isArray(values) || !values.length) continue;
    const days = Object.keys(values.find((row) => row && typeof row === "object") ?? {}).filter(
      (name) => fields.has(name) && values.every((row: Row) => row[name] == null || DAY.test(String(row[name]))),
    );
    // A format of the data would say it too, but of several layers with the same rows Vega draws none then.
    for (const row of values as Row[]) for (const name of days) if (row[name] != null) row[name] = `${String(row[name])}T00:00:00`;
  }
  return copy;
};

/** The definition as it is drawn: as wide as its place, light or dark, with or without its title. */
export const dressed = (spec: Definition, how: How): Definition => {
  let made = withLocalDays(spec);
  delete made.usermeta;
  if (typeof made.width === "number") made.width = how.width;
  if (!how.titled) delete made.title;
  if (how.dark) made = darkened(made) as Definition;
  return { ...made, background: how.titled ? "#ffffff" : "transparent" };
};

/** The rows behind a chart: those that it was given for reading, else its largest set of data. */
export const rowsOf = (spec: Definition): { rows: Row[]; heads: Record<string, string> } => {
  const { rows, heads = {} } = spec.usermeta ?? {};
  if (rows) return { rows, heads };
  const sets = [...objects(spec)]
    .flatMap((part) => [part["values"], ...(part === spec["datasets"] ? Object.values(part) : [])])
    .filter((values): values is Row[] => Array.isArray(values) && typeof values[0] === "object");
  return { rows: sets.reduce<Row[]>((most, each) => (each.length > most.length ? each : most), []), heads };
};
