// Days and hours of an answer are those of the reader's own zone: its name goes along with the form.
const zone = Intl.DateTimeFormat().resolvedOptions().timeZone || "";

for (const field of document.querySelectorAll('input[name="time_zone"]')) {
  if (!field.value) field.value = zone;
}
