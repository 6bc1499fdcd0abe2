// A part of a page as an element. The browser parses it as a document of its own: no script of it runs, and no
// text becomes markup in this page.
const SECONDS = 35;
// The page tells the server of keys and clicks by itself (lock.js); without a sign-in it wants no other site's page.
const BY_ITSELF = { "X-Platewarden": "by-itself" };

// Resolves to {status, element}: the part, or the main part of the page that says why there is none.
export function fragment(address, { method = "GET", body = null, signal = null } = {}) {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open(method, address);
    request.responseType = "document";
    request.timeout = 1000 * SECONDS;
    const headers = method === "GET" ? BY_ITSELF : {};
    for (const [name, value] of Object.entries(headers)) request.setRequestHeader(name, value);
    request.onload = () => {
      const found = request.response?.querySelector("article") ?? inside(request.response?.querySelector("main"));
      if (found) resolve({ status: request.status, element: document.adoptNode(found) });
      else reject(new Error("no page came"));
    };
    request.onerror = request.ontimeout = () => reject(new Error("no answer came"));
    request.onabort = () => reject(new DOMException("given up", "AbortError"));
    signal?.addEventListener("abort", () => request.abort(), { once: true });
    request.send(body);
  });
}

// What is in a page's main part: a page has one of these.
function inside(main) {
  if (!main) return null;
  const element = document.createElement("div");
  element.append(...main.childNodes);
  return element;
}
