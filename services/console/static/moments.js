// Fields of moments are in the reader's own time. What is sent along says which moment in UTC that is.
const two = (number) => String(number).padStart(2, "0");
const parts = new Intl.DateTimeFormat(undefined, { timeZoneName: "short" }).formatToParts(new Date());
const zone = parts.find((one) => one.type === "timeZoneName").value;

function local(at, input) {
  const day = `${String(at.getFullYear()).padStart(4, "0")}-${two(at.getMonth() + 1)}-${two(at.getDate())}`;
  if (input.type === "date") return day;
  const seconds = input.step === "1" ? `:${two(at.getSeconds())}` : "";
  return `${day}T${two(at.getHours())}:${two(at.getMinutes())}${seconds}`;
}

function utc(input) {
  if (!input.value) return "";
  const at = new Date(input.type === "date" ? `${input.value}T00:00` : input.value); // without a zone: local
  return Number.isNaN(at.getTime()) ? "" : at.toISOString();
}

for (const input of document.querySelectorAll("input[data-moment]")) {
  if (input.dataset.moment) input.value = local(new Date(input.dataset.moment), input);
  for (const label of input.labels) label.querySelector("[data-zone]").textContent = `(your time, ${zone})`;
  input.form.addEventListener("formdata", (event) => event.formData.set(`${input.name}_utc`, utc(input)));
}
