// One key for each act, and one row that is selected: the one that has the focus, or had it last. It stays selected
// wherever it moves, so that a new alert never slips under a finger.
// Keys of the open alert that open it where it is not open yet: what its form of that key asks comes with it.
const OPENING = new Set("vlcnbd");
const TYPING = "input, textarea, select, dialog, [contenteditable]";

export class Keys {
  #list;
  #does;
  #id = "";
  #reached = null;
  #opening = false;

  // `does` has: open(id, key), acknowledge(id), urgent() -> id, sound(), help(), pane() -> {id, work} or null
  constructor(list, does) {
    this.#list = list;
    this.#does = does;
    list.addEventListener("focusin", ({ target }) => this.#select(target.closest("li")));
    list.addEventListener("click", (event) => this.#click(event));
    addEventListener("keydown", (event) => this.#key(event));
  }

  // Puts the focus on the selected row.
  focus() {
    this.#item()?.firstElementChild.focus();
  }

  // After rows came or went: what was selected stays so, or its neighbour when it is no longer shown; and some row can
  // always be reached with Tab. Nothing is selected before the person has gone to a row.
  keep() {
    const item = this.#item();
    if (item && !item.hidden) return;
    if (!item) {
      this.#id = "";
      this.#tab(this.#list.querySelector("li:not([hidden])"));
      return;
    }
    const rows = this.#shown();
    const next = rows.find((one) => item.compareDocumentPosition(one) & Node.DOCUMENT_POSITION_FOLLOWING);
    const had = document.activeElement === document.body || item.contains(document.activeElement);
    this.#select(next ?? rows.at(-1));
    if (had) this.focus();
  }

  #item() {
    return this.#id ? document.getElementById(`row-${this.#id}`) : null;
  }

  #shown() {
    return [...this.#list.querySelectorAll("li:not([hidden])")];
  }

  #select(item) {
    this.#item()?.classList.remove("selected");
    this.#id = item?.dataset.alert ?? "";
    item?.classList.add("selected");
    this.#tab(item);
  }

  // The row that Tab goes to.
  #tab(item) {
    if (this.#reached) this.#reached.tabIndex = -1;
    this.#reached = item?.firstElementChild;
    if (this.#reached) this.#reached.tabIndex = 0;
  }

  #click(event) {
    const item = event.target.closest("li");
    if (!item || event.ctrlKey || event.metaKey || event.shiftKey || event.button) return;
    event.preventDefault();
    this.#does.open(item.dataset.alert);
  }

  #key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return;
    if (event.target.closest?.(TYPING)) return;
    // What is typed before the form is there belongs to it, and to nothing else here.
    if (this.#opening) return event.preventDefault();
    if (event.key.length === 1 && document.getElementById("single")?.checked === false) return;
    const pane = this.#does.pane();
    const inPane = Boolean(event.target.closest?.("#pane"));
    const forPane = pane && (inPane || pane.id === this.#id);
    const act = this.#act(event.key, Boolean(forPane), inPane);
    if (act) {
      event.preventDefault();
      act();
    } else if (forPane) pane.work.key(event);
  }

  #act(key, forPane, inPane) {
    if (key === "?") return () => this.#does.help();
    if (key === "s") return () => this.#does.sound();
    if (key === "u") return () => this.#go(document.getElementById(`row-${this.#does.urgent()}`));
    if (key === "j" || (key === "ArrowDown" && !inPane)) return () => this.#step(1);
    if (key === "k" || (key === "ArrowUp" && !inPane)) return () => this.#step(-1);
    if (inPane) return null;
    if (key === "Home") return () => this.#go(this.#shown()[0]);
    if (key === "End") return () => this.#go(this.#shown().at(-1));
    if (key === "Enter" && this.#list.contains(document.activeElement)) return () => this.#does.open(this.#id);
    if (key === "a" && !forPane && this.#id) return () => this.#does.acknowledge(this.#id);
    if (OPENING.has(key) && !forPane && this.#item()) return () => this.#openFor(key);
    return null;
  }

  async #openFor(key) {
    this.#opening = true;
    try {
      await this.#does.open(this.#id, key);
    } finally {
      this.#opening = false;
    }
  }

  #step(by) {
    const item = this.#item();
    // The first key goes to the newest row, or back to the selected one.
    if (!item || !this.#list.contains(document.activeElement)) return this.#go(item ?? this.#shown()[0]);
    let next = item;
    do next = by > 0 ? next.nextElementSibling : next.previousElementSibling;
    while (next?.hidden);
    return this.#go(next);
  }

  #go(item) {
    item?.firstElementChild.focus();
  }
}
