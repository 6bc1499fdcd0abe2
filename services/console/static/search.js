// The list of reads and its map lead to one another.
function mapButton(row) {
  const button = document.createElement("button");
  button.type = "button";
  button.className = "plain small";
  button.dataset.mapShow = row.id.slice("r-".length);
  button.textContent = "Map";
  button.setAttribute("aria-label", `${row.querySelector("button").textContent}: show on the map`);
  return button;
}

for (const row of document.querySelectorAll("#list tr[id]")) row.querySelector(".place").append(mapButton(row));

let sought = ""; // what the list itself had the map show: the person stays at the map
addEventListener("click", ({ target }) => {
  sought = target.closest?.("[data-map-show]")?.dataset.mapShow ?? "";
}, { capture: true });

addEventListener("map:pick", ({ detail }) => {
  if (detail.id === sought) return;
  const button = document.querySelector(`#r-${CSS.escape(detail.id)} button`);
  if (!button) return;
  button.scrollIntoView({ block: "center" });
  button.focus({ preventScroll: true });
});

// Enter in the field of a button's own presses that one, and not the question's.
for (const button of document.querySelectorAll("button[data-enter]")) {
  button.form.elements[button.dataset.enter].addEventListener("keydown", (event) => {
    if (event.key !== "Enter") return;
    event.preventDefault();
    button.click();
  });
}
