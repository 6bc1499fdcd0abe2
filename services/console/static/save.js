// The file that came with the page: whole, as its hash says, it can be saved; it opens nowhere by itself.
const packed = document.getElementById("file");
const link = document.getElementById("save");
const state = document.getElementById("save-state");

async function ready() {
  const bytes = Uint8Array.from(atob(packed.textContent), (one) => one.charCodeAt(0));
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
  const hex = Array.from(digest, (byte) => byte.toString(16).padStart(2, "0")).join("");
  if (hex !== packed.dataset.sha256) {
    state.textContent = "The file did not arrive whole. Ask again.";
    return;
  }
  packed.remove();
  link.href = URL.createObjectURL(new Blob([bytes], { type: "application/octet-stream" }));
  link.download = packed.dataset.name;
  link.hidden = false;
  state.textContent = "It arrived whole: its SHA-256 is the recorded one.";
}

ready();
