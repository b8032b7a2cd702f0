/** The text of a definition: highlighting, what may stand at the cursor, and faults where they are. */
import { autocompletion, closeBrackets, completionKeymap } from "@codemirror/autocomplete";
import type { CompletionContext, CompletionResult } from "@codemirror/autocomplete";
import { defaultKeymap, history, historyKeymap } from "@codemirror/commands";
import { bracketMatching, HighlightStyle, StreamLanguage, syntaxHighlighting } from "@codemirror/language";
import { lintGutter, setDiagnostics } from "@codemirror/lint";
import { EditorState } from "@codemirror/state";
import { drawSelection, EditorView, keymap, placeholder } from "@codemirror/view";
import { tags } from "@lezer/highlight";
import { post } from "./builder-asking";
import type { Fault } from "./pages/builder";

export interface Editor {
  show: (text: string, faults: Fault[], typed: boolean) => void;
}

const WORDS = new Set(
  ("and or not in is between where any did then with within without at exactly held changed from to for member listed entered left " +
    "consents bucket distance anniversary since until contains starts ends matches ignoring yes no trait percentile of last next this " +
    "first least most times time before calendar case known missing all top bottom same account after days active frequent count sum " +
    "avg min max distinct case periods period").split(" "),
);
const UNITS = /^(second|minute|hour|day|week|month|quarter|year)s?\b/;

const language = StreamLanguage.define({
  token: (stream) => {
    if (stream.eatSpace()) return null;
    if (stream.match("//")) {
      stream.skipToEnd();
      return "comment";
    }
    if (stream.match(/^"(?:[^"\\]|\\.)*"?/)) return "string";
    if (stream.match(/^`[^`]*`?/)) return "variableName";
    if (stream.match(/^\d{4}-\d{2}-\d{2}(T[\d:.]+(Z|[+-]\d{2}:\d{2}))?/)) return "number";
    if (stream.match(/^\d+(\.\d+)?/)) return "number";
    if (stream.match(UNITS)) return "unit";
    const word = stream.match(/^[A-Za-z_][\w.]*/) as RegExpMatchArray | null;
    if (word) return WORDS.has(word[0]) ? "keyword" : "variableName";
    stream.next();
    return "operator";
  },
  tokenTable: { unit: tags.unit },
});

const colours = HighlightStyle.define([
  { tag: tags.keyword, color: "var(--accent)", fontWeight: "600" },
  { tag: tags.string, color: "var(--good)" },
  { tag: [tags.number, tags.unit], color: "var(--warn)" },
  { tag: tags.comment, color: "var(--muted)", fontStyle: "italic" },
]);

const look = EditorView.theme({
  "&": { color: "var(--ink)", backgroundColor: "var(--paper)", fontSize: "13px" },
  "&.cm-focused": { outline: "2px solid var(--accent)", outlineOffset: "-1px" },
  ".cm-content": { fontFamily: "var(--mono)", lineHeight: "22px", minHeight: "160px", caretColor: "var(--ink)" },
  ".cm-cursor": { borderLeftColor: "var(--ink)" },
  ".cm-gutters": { backgroundColor: "var(--wash)", border: "0" },
  "&.cm-focused .cm-selectionBackground, .cm-selectionBackground": { backgroundColor: "var(--accent-soft)" },
  ".cm-tooltip": { backgroundColor: "var(--paper)", color: "var(--ink)", border: "1px solid var(--hair)" },
  ".cm-tooltip-autocomplete > ul > li[aria-selected]": { backgroundColor: "var(--accent)", color: "var(--on-accent)" },
  ".cm-completionDetail": { color: "var(--muted)", fontStyle: "normal", marginLeft: "12px" },
  "li[aria-selected] .cm-completionDetail": { color: "inherit" },
  ".cm-placeholder": { color: "var(--muted)" },
});

interface Found {
  start: number;
  end: number;
  options: { value: string; label: string; count: number | null; sort: string }[];
}

const complete = async (context: CompletionContext): Promise<CompletionResult | null> => {
  const before = context.matchBefore(/[\w."`]+/);
  if (!before && !context.explicit && !/[\s(]$/.test(context.state.sliceDoc(0, context.pos))) return null;
  const stop = new AbortController();
  context.addEventListener("abort", () => stop.abort());
  const found = await post<Found>("complete", { text: context.state.doc.toString(), cursor: String(context.pos) }, stop.signal);
  if (!found || !found.options.length) return null;
  // The quote that was closed by itself is part of what is replaced.
  const quoted = context.state.sliceDoc(found.start, found.start + 1) === '"';
  const closed = quoted && context.state.sliceDoc(found.end, found.end + 1) === '"';
  return {
    from: found.start,
    to: found.end + (closed ? 1 : 0),
    filter: false,
    options: found.options.map(({ value, label, count, sort }) => ({
      label: value,
      detail: [label, count === null ? "" : count.toLocaleString("en-GB")].filter(Boolean).join(" · "),
      type: sort === "word" ? "keyword" : sort === "value" ? "text" : "variable",
    })),
  };
};

export const makeEditor = (host: HTMLElement, text: string, typed: (text: string) => void): Editor => {
  // In a shadow tree its styles are sheets of the tree, which the policy of pages allows.
  const root = host.attachShadow({ mode: "open" });
  const parent = document.createElement("div");
  root.append(parent);
  let timer = 0;
  let own = false;
  const view = new EditorView({
    root,
    parent,
    state: EditorState.create({
      doc: text,
      extensions: [
        history(),
        drawSelection(),
        bracketMatching(),
        closeBrackets(),
        language,
        syntaxHighlighting(colours),
        lintGutter(),
        autocompletion({ override: [complete], icons: false, activateOnTypingDelay: 60 }),
        placeholder('did "Order Completed" in last 30 days and country = "KE"'),
        keymap.of([...completionKeymap, ...defaultKeymap, ...historyKeymap]),
        EditorView.lineWrapping,
        EditorView.contentAttributes.of({ "aria-label": "Text of the definition", spellcheck: "false" }),
        look,
        EditorView.updateListener.of((update) => {
          if (!update.docChanged || own) return;
          clearTimeout(timer);
          timer = window.setTimeout(() => typed(update.state.doc.toString()), 220);
        }),
      ],
    }),
  });
  return {
    show: (wanted, faults, fromHere) => {
      const now = view.state.doc.toString();
      if (!fromHere && wanted !== now) {
        own = true;
        view.dispatch({ changes: { from: 0, to: now.length, insert: wanted } });
        own = false;
      }
      if (view.state.doc.toString() !== wanted) return;
      const most = wanted.length;
      const marks = faults.map(({ start, end, problem, fix, unfinished, doubt }) => ({
        // What is missing at the end is marked at what stands before it.
        from: Math.min(start, Math.max(most - 1, 0)),
        to: Math.min(Math.max(end, start), most),
        severity: unfinished || doubt ? ("warning" as const) : ("error" as const),
        message: fix ? `${problem} ${fix}` : problem,
      }));
      view.dispatch(setDiagnostics(view.state, marks));
    },
  };
};
