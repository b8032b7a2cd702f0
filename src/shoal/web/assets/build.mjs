// Bundles scripts and styles: names with hashes, each file compressed once for all, a manifest, and the licences of
// what is bundled. Called by hatch_build.py: node build.mjs FOLDER HASH-OF-ASSETS
import { build } from "esbuild";
import { existsSync, mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import { brotliCompressSync, constants, gzipSync } from "node:zlib";

if (process.argv[2] === "--tidy-lock") {
  const lock = JSON.parse(readFileSync("package-lock.json", "utf8"));
  for (const part of Object.values(lock.packages)) delete part.funding;
  writeFileSync("package-lock.json", JSON.stringify(lock, null, 2) + "\n");
  process.exit(0);
}

const [, , folder, madeOf] = process.argv;
rmSync(folder, { recursive: true, force: true });
mkdirSync(folder, { recursive: true });

const pages = existsSync("pages") ? readdirSync("pages").filter((name) => name.endsWith(".ts")) : [];
// A swatch beside a name has the colour that charts give the name, in the dark as well.
const swatches = {
  name: "swatches",
  setup({ onResolve, onLoad }) {
    onResolve({ filter: /^swatches-of-charts$/ }, ({ path }) => ({ path, namespace: "swatches" }));
    onLoad({ filter: /.*/, namespace: "swatches" }, () => ({
      loader: "css",
      contents: Object.entries(JSON.parse(readFileSync("dark.json", "utf8")))
        .map(([light, dark]) => `.swatch [fill="${light}"] { fill: light-dark(${light}, ${dark}); }`)
        .join("\n"),
    }));
  },
};
const { metafile } = await build({
  entryPoints: ["main.ts", "css/main.css", "mark.svg", ...pages.map((name) => join("pages", name))],
  entryNames: "[name]-[hash]",
  chunkNames: "[name]-[hash]",
  outdir: folder,
  bundle: true,
  splitting: true,
  format: "esm",
  target: "es2022",
  minify: true,
  loader: { ".svg": "copy" },
  legalComments: "none",
  metafile: true,
  plugins: [swatches],
  logLevel: "warning",
});

const files = {};
const bundled = new Set();
for (const [path, made] of Object.entries(metafile.outputs)) {
  if (made.entryPoint) files[basename(made.entryPoint).replace(/\.ts$/, ".js")] = basename(path);
  const body = readFileSync(join(folder, basename(path)));
  const brotli = { params: { [constants.BROTLI_PARAM_QUALITY]: 11, [constants.BROTLI_PARAM_SIZE_HINT]: body.length } };
  writeFileSync(join(folder, basename(path) + ".br"), brotliCompressSync(body, brotli));
  writeFileSync(join(folder, basename(path) + ".gz"), gzipSync(body, { level: 9 }));
  for (const input of Object.keys(made.inputs)) {
    const name = input.match(/node_modules\/((?:@[^/]+\/)?[^/]+)/)?.[1];
    if (name) bundled.add(name);
  }
}

const licence = (name) => {
  const at = join("node_modules", name);
  const { version, license } = JSON.parse(readFileSync(join(at, "package.json"), "utf8"));
  const text = readdirSync(at).find((file) => /^(licen[cs]e|copying)/i.test(file));
  if (!text) throw new Error(`${name} has no text of its licence, which must be shipped with it.`);
  return `${name} ${version} (${license})\n\n${readFileSync(join(at, text), "utf8").trim()}\n`;
};
writeFileSync(join(folder, "LICENCES.txt"), [...bundled].sort().map(licence).join(`\n${"-".repeat(80)}\n\n`));
writeFileSync(join(folder, "manifest.json"), JSON.stringify({ made_of: madeOf, files }, null, 1));
