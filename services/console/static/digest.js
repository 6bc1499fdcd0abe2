// A document stays on the reader's machine: its SHA-256 goes, and is shown. What is not read in time is sent whole.
for (const input of document.querySelectorAll("input[type=file][data-digest]")) {
  const shown = document.getElementById(`${input.id}-digest`);
  let digest = "";
  input.addEventListener("change", async () => {
    digest = "";
    shown.textContent = "";
    const [file] = input.files;
    if (!file) return;
    const bytes = new Uint8Array(await crypto.subtle.digest("SHA-256", await file.arrayBuffer()));
    if (input.files[0] !== file) return; // another one was chosen meanwhile
    digest = Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
    shown.textContent = `SHA-256 ${digest}`;
  });
  input.form.addEventListener("formdata", (event) => {
    if (!digest) return;
    event.formData.delete(input.name);
    event.formData.set(`${input.name}_sha256`, digest);
  });
}
