// A point that is chosen on the map leads to its line in the list.
addEventListener("map:pick", ({ detail }) => {
  const button = document.querySelector(`#r-${CSS.escape(detail.id)} button`);
  if (!button) return;
  button.scrollIntoView({ block: "center" });
  button.focus({ preventScroll: true });
});
