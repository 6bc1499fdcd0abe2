// A file of text is read here and put into the form's field, where it can be seen before it is sent.
for (const input of document.querySelectorAll("input[type=file][data-text-for]")) {
  const field = document.getElementById(input.dataset.textFor);
  const told = input.parentElement.querySelector("[role=status]");
  input.parentElement.hidden = false;
  input.addEventListener("change", async () => {
    const [file] = input.files;
    if (!file) return;
    const fits = file.size <= field.maxLength;
    field.value = fits ? await file.text() : "";
    told.textContent = fits ? "It stands in the field above." : "This file is too long for that.";
  });
}
