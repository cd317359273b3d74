// The search box of every page. What is searched is loaded when somebody wants to search, as scripts, because a page
// that was opened as a file may load nothing else.
{
  const { root } = document.currentScript.dataset; // from this page to the site's first page
  const place = document.getElementById("search");
  place.innerHTML = `<form role="search"><label for="search-words">Search</label>
    <input id="search-words" type="search" autocomplete="off" aria-keyshortcuts="/" aria-controls="search-found">
    <span id="search-said" role="status"></span></form><ul id="search-found" aria-label="Search results" hidden></ul>`;
  const [form, found] = place.children, words = form.querySelector("input"), said = form.querySelector("[role=status]");

  const script = (name) => new Promise((resolve, reject) => {
    const tag = document.createElement("script");
    Object.assign(tag, { src: `${root}${name}`, onload: resolve, onerror: () => reject(new Error(name)) });
    document.head.append(tag);
  });
  let loaded;
  const searcher = () => loaded ??= Promise.all(["minisearch.js", "search_index.js"].map(script)).then(() => {
    const search = new MiniSearch({ fields: ["heading", "title", "text"], storeFields: ["heading", "title", "address"] });
    search.addAll(COURSE_INDEX);
    return search;
  });

  async function show() {
    const asked = words.value.trim();
    const search = asked && await searcher().catch((error) => { loaded = null; said.textContent = `${error.message} is missing`; });
    if (asked !== words.value.trim() || (asked && !search)) return; // more was typed meanwhile
    const options = { prefix: (term) => term.length > 2, fuzzy: (term) => (term.length > 5 ? 0.2 : false), boost: { heading: 4, title: 2 } };
    let results = asked ? search.search(asked, { ...options, combineWith: "AND" }) : [];
    if (asked && !results.length) results = search.search(asked, options);
    found.replaceChildren(...results.slice(0, 10).map(({ heading, title, address }) => {
      const item = document.createElement("li"), link = document.createElement("a"), page = document.createElement("span");
      [link.href, link.textContent, page.textContent] = [root + address, heading, heading === title ? "" : title];
      link.append(page);
      item.append(link);
      return item;
    }));
    found.hidden = !results.length;
    said.textContent = !asked ? "" : results.length === 1 ? "1 place" : `${results.length || "no"} places`;
  }
  const clear = () => { words.value = ""; show(); words.focus(); };

  words.addEventListener("focus", () => searcher().catch(() => { loaded = null; }));
  words.addEventListener("input", show);
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    await show();
    found.querySelector("a")?.click();
  });
  place.addEventListener("keydown", (event) => {
    if (event.key === "Escape") return clear();
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key], stops = [words, ...found.querySelectorAll("a")];
    const at = stops.indexOf(document.activeElement) + step;
    if (!step || !stops[at]) return;
    event.preventDefault();
    stops[at].focus();
  });
  found.addEventListener("click", () => { found.hidden = true; }); // the link may lead to a place on this page
  document.addEventListener("keydown", (event) => {
    if (event.key !== "/" || event.ctrlKey || event.metaKey || event.target.matches("input, textarea, select")) return;
    event.preventDefault();
    words.focus();
  });
}
