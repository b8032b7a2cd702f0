"use strict";
const save = (name, type, data) => {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(data instanceof Blob ? data : new Blob([data], { type }));
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 1000);
};
const svgOf = (figure) => {
  const art = [...figure.querySelectorAll(".art")].find((a) => getComputedStyle(a).display !== "none");
  return art.querySelector("svg");
};
// Another machine's letters are wider: on the page they run over the edge, in a file they would be cut off.
const MARGIN = 16;
const svgText = (svg) => {
  const copy = svg.cloneNode(true);
  const { width, height } = svg.viewBox.baseVal;
  copy.setAttribute("xmlns", "http://www.w3.org/2000/svg");
  copy.setAttribute("viewBox", [-MARGIN, 0, width + 2 * MARGIN, height].join(" "));
  copy.setAttribute("width", width + 2 * MARGIN);
  copy.setAttribute("height", height);
  return new XMLSerializer().serializeToString(copy);
};
const savePng = (name, svg) => {
  const image = new Image();
  image.onload = () => {
    const canvas = document.createElement("canvas");
    const box = svg.viewBox.baseVal;
    canvas.width = 2 * (box.width + 2 * MARGIN);
    canvas.height = 2 * box.height;
    const brush = canvas.getContext("2d");
    brush.fillStyle = "#fff";
    brush.fillRect(0, 0, canvas.width, canvas.height);
    brush.drawImage(image, 0, 0, canvas.width, canvas.height);
    canvas.toBlob((blob) => save(name, "image/png", blob));
  };
  image.src = "data:image/svg+xml;charset=utf-8," + encodeURIComponent(svgText(svg));
};
// A spreadsheet runs a text that begins like a formula; a number is none.
const defuse = (text) => (isNaN(text) && /^ *[=+\-@\t\r\n＝＋－＠]/.test(text) ? "'" + text : text);
const quote = (text) => (/[",\r\n]/.test(text) ? '"' + text.replaceAll('"', '""') + '"' : text);
const tableText = (table) =>
  [...table.rows].map((row) => [...row.cells].map((c) => quote(defuse(c.dataset.v ?? c.innerText))).join(",")).join("\r\n");
document.addEventListener("click", (event) => {
  const button = event.target.closest("button[data-as]");
  if (button) {
    const id = button.parentElement.dataset.for;
    const block = document.getElementById(id);
    const kind = button.dataset.as;
    if (kind === "table") save(id + ".csv", "text/csv", tableText(block));
    if (kind === "svg") save(id + ".svg", "image/svg+xml", svgText(svgOf(block)));
    if (kind === "png") savePng(id + ".png", svgOf(block));
    if (kind === "csv") save(id + ".csv", "text/csv", JSON.parse(block.querySelector("script.csv").textContent));
    if (kind === "json") save(id + ".vl.json", "application/json", block.querySelector("script.json").textContent);
    return;
  }
  const head = event.target.closest("th");
  if (head) sortBy(head);
});
document.addEventListener("keydown", (event) => {
  const head = event.target.closest("th .head");
  if (!head || (event.key !== "Enter" && event.key !== " ")) return;
  event.preventDefault();
  sortBy(head.closest("th"));
});
const sortBy = (head) => {
  const table = head.closest("table");
  const index = [...head.parentElement.children].indexOf(head);
  const down = head.getAttribute("aria-sort") !== "descending";
  for (const other of head.parentElement.children) other.removeAttribute("aria-sort");
  head.setAttribute("aria-sort", down ? "descending" : "ascending");
  const value = (row) => row.cells[index].dataset.v;
  const order = (a, b) => {
    const [x, y] = [value(a), value(b)];
    if (x === "" || y === "") return (x === "") - (y === "");
    const by = isNaN(x) || isNaN(y) ? x.localeCompare(y) : x - y;
    return down ? -by : by;
  };
  table.tBodies[0].append(...[...table.tBodies[0].rows].sort(order));
};
// A head can stick to the window only where its table needn't scroll sideways. On a phone such a table becomes cards.
const fit = () => {
  for (const box of document.querySelectorAll(".scroll")) {
    box.classList.remove("fits", "stacked");
    box.classList.toggle("fits", box.scrollWidth <= box.clientWidth);
    if (innerWidth <= 720 && !box.classList.contains("fits")) stack(box);
  }
};
const stack = (box) => {
  const heads = [...box.querySelectorAll("th")].map((head) => head.innerText.trim());
  for (const row of box.querySelector("tbody").rows)
    for (const cell of row.cells) cell.dataset.head = heads[cell.cellIndex];
  box.classList.add("stacked");
};
addEventListener("resize", fit);
fit();
