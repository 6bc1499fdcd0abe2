// Shows every <time> in the reader's own zone; UTC stays in its title. Pages call it again for what they add.
const format = new Intl.DateTimeFormat(undefined, {
  year: "numeric", month: "2-digit", day: "2-digit",
  hour: "2-digit", minute: "2-digit", second: "2-digit", timeZoneName: "short",
});

export function localTimes(root = document) {
  for (const one of root.querySelectorAll("time[datetime]:not([data-local])")) {
    one.textContent = format.format(new Date(one.dateTime));
    one.dataset.local = "";
  }
}

localTimes();
