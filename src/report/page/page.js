"use strict";
// A click on an image shows it with its facts; without this script the link opens the file.
const dialog = document.getElementById("enlarged");
document.addEventListener("click", (event) => {
  const shot = event.target.closest("a.shot");
  if (!shot || event.ctrlKey || event.metaKey) return;
  event.preventDefault();
  const put = (selector, text) => { dialog.querySelector(selector).textContent = text; };
  dialog.querySelector("img").src = shot.href;
  put("h3", shot.dataset.title);
  put(".prompt", shot.dataset.prompt);
  put(".facts", shot.dataset.facts);
  put("pre", shot.dataset.scores);
  dialog.querySelector("a.file").href = shot.href;
  const adapter = dialog.querySelector("a.adapter");
  adapter.parentElement.hidden = !shot.dataset.adapter;
  adapter.href = shot.dataset.adapter ?? "";
  dialog.showModal();
});
// A click on a heading sorts its column, the next click the other way.
for (const heading of document.querySelectorAll(".sortable thead th")) {
  heading.addEventListener("click", () => {
    const column = heading.cellIndex;
    const body = heading.closest("table").tBodies[0];
    const down = heading.dataset.down !== "true";
    heading.dataset.down = down;
    const key = (row) => row.cells[column].dataset.value ?? row.cells[column].textContent;
    const compare = (a, b) => key(a).localeCompare(key(b), "en", { numeric: true });
    const rows = [...body.rows].sort((a, b) => (down ? compare(b, a) : compare(a, b)));
    body.append(...rows);
  });
}
for (const button of document.querySelectorAll("button.copy")) {
  button.addEventListener("click", () => {
    const text = button.previousElementSibling;
    text.select();
    navigator.clipboard?.writeText(text.value);
  });
}
