"use strict";
// The page's own script: it draws the matrix from the numbers in the page and adds the points to the charts.
// Everything from the data is set as text (textContent), never as markup.
(async () => {
  const DASH = "\u2013";
  const MINUS = "\u2212";
  const data = JSON.parse(await unpack(document.getElementById("data").textContent));
  const specs = JSON.parse(document.getElementById("chart-specs").textContent);
  const table = document.getElementById("matrix-table");
  const tip = document.getElementById("tip");
  const state = { view: data.views[0].name, metric: data.metric, show: "score", order: "exposure", sort: null };
  const ROWS_AT_ONCE = 100;
  const undrawn = { rows: [], timer: null };
  const width = data.languages.length;
  const at = (mixture, language) => mixture * width + language;
  const view = () => data.views.find((candidate) => candidate.name === state.view);
  const numbers = (metric = state.metric) => view().metrics[metric];

  // The numbers of the grid are stored in the page as gzip in base64: a third of their size.
  async function unpack(packed) {
    const bytes = Uint8Array.from(atob(packed), (letter) => letter.charCodeAt(0));
    const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
    return new Response(stream).text();
  }

  function make(tag, text, attributes = {}) {
    const element = document.createElement(tag);
    if (text !== null && text !== undefined) element.textContent = text;
    for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
    return element;
  }

  // Numbers ---------------------------------------------------------------------------------------------------------

  const UNIT = 1e5; // scores in the data are integers, in units of 1 / UNIT

  // As in figures, the middle between two numbers goes to the even one.
  function rounded(units, digits) {
    const step = UNIT / 10 ** digits;
    const below = Math.floor(units / step);
    const rest = 2 * (units - below * step) - step;
    const nearest = rest > 0 || (rest === 0 && below % 2 === 1) ? below + 1 : below;
    return (nearest / 10 ** digits).toFixed(digits);
  }

  function decimal(units, digits = 2) {
    if (units === null || units === undefined) return DASH;
    const text = rounded(Math.abs(units), digits).replace(/^0/, "");
    return units < 0 && Number(text) !== 0 ? MINUS + text : text;
  }

  function signed(units, digits = 2) {
    const text = decimal(units, digits);
    return units > 0 && Number(text) !== 0 ? `+${text}` : text;
  }

  const mixtureNumber = new Map(data.mixtures.map((mixture, number) => [mixture.name, number]));

  // The row that a cell is compared with: the in-language adapter (gap) or the untuned base (gain).
  function reference(language) {
    if (state.show === "score") return null;
    return mixtureNumber.get(state.show === "gap" ? data.languages[language].code : "none") ?? null;
  }

  function value(mixture, language) {
    const scores = numbers().score;
    const own = scores[at(mixture, language)];
    if (state.show === "score") return own;
    const row = reference(language);
    const other = row === null ? null : scores[at(row, language)];
    return own === null || other === null ? null : own - other;
  }

  const isUnranked = (cell) => view().unrankedSet.has(cell);
  const isWeak = (cell) => {
    const { score, baseline } = numbers();
    return score[cell] !== null && baseline[cell] !== null && score[cell] <= baseline[cell];
  };

  // Colours ---------------------------------------------------------------------------------------------------------

  function scaleOf(values) {
    const found = values.filter((one) => one !== null);
    if (state.show !== "score") {
      const far = Math.max(0.05 * UNIT, ...found.map(Math.abs));
      return { low: -far, high: far, colours: data.colours.difference };
    }
    const tenth = UNIT / 10;
    const low = Math.floor(Math.min(UNIT, ...found) / tenth) * tenth;
    const high = Math.ceil(Math.max(low + tenth, ...found) / tenth) * tenth;
    return { low, high, colours: data.colours.score };
  }

  function colourOf(one, scale) {
    const share = (one - scale.low) / (scale.high - scale.low);
    return scale.colours[Math.min(scale.colours.length - 1, Math.max(0, Math.round(share * (scale.colours.length - 1))))];
  }

  function isLight(colour) {
    const [red, green, blue] = [1, 3, 5].map((start) => parseInt(colour.slice(start, start + 2), 16) / 255);
    return 0.299 * red + 0.587 * green + 0.114 * blue > 0.48;
  }

  // Order -----------------------------------------------------------------------------------------------------------

  const languageOrder = () => (state.order === "cluster" ? view().clusters.languages : data.orders[state.order]);

  // Groups of rows with their titles; one untitled group if rows are sorted by cluster or by one language's values.
  function rowGroups() {
    if (state.sort !== null) {
      const { language, direction } = state.sort;
      const rank = (mixture) => value(mixture, language) ?? -Infinity;
      const rows = [...data.rows.exposure].sort((a, b) => (rank(b) - rank(a) || 0) * direction);
      return [{ title: null, rows }];
    }
    if (state.order === "cluster") return [{ title: null, rows: view().clusters.rows }];
    const groups = [];
    for (const row of data.rows[state.order]) {
      const title = data.mixtures[row].group;
      if (groups.length === 0 || groups[groups.length - 1].title !== title) groups.push({ title, rows: [] });
      groups[groups.length - 1].rows.push(row);
    }
    return groups;
  }

  // The matrix ------------------------------------------------------------------------------------------------------

  function drawMatrix() {
    const languages = languageOrder();
    const groups = rowGroups();
    const ranked = (row) => languages.filter((one) => !isUnranked(at(row, one)));
    const values = groups.flatMap((group) => group.rows.flatMap((row) => ranked(row).map((one) => value(row, one))));
    const scale = scaleOf(values);
    const bodies = groups.map((group) => drawGroup(group));
    undrawn.rows = groups.flatMap((group, place) => group.rows.map((mixture) => () => {
      bodies[place].append(drawRow(mixture, languages, scale));
    }));
    table.replaceChildren(drawHead(languages), ...bodies);
    drawRows(ROWS_AT_ONCE);
    drawRest();
    const first = table.querySelector("td[data-mixture]");
    if (first) first.tabIndex = 0;
    drawScale(scale);
    describeState();
  }

  function drawHead(languages) {
    const head = make("thead");
    const names = make("tr");
    const back = make("th", null, { scope: "col" });
    back.append(make("button", state.sort === null ? "mixture" : "mixture (reset the order)", { type: "button" }));
    back.firstChild.addEventListener("click", () => sortBy(null));
    names.append(back);
    const shares = make("tr", null, { class: "exposure" });
    shares.append(make("th", "exposure", { scope: "row" }));
    for (const number of languages) {
      const language = data.languages[number];
      const cell = make("th", null, { scope: "col", "data-language": language.code });
      const button = make("button", `${language.name} (${language.code})`, { type: "button", title: language.family });
      button.addEventListener("click", () => sortBy(number));
      if (state.sort?.language === number) {
        cell.setAttribute("aria-sort", state.sort.direction === 1 ? "descending" : "ascending");
        button.textContent += state.sort.direction === 1 ? " \u25bc" : " \u25b2";
      }
      cell.append(button);
      names.append(cell);
      const share = language.exposure;
      shares.append(make("td", share === null ? "?" : Number(share.toPrecision(2)).toString().replace(/^0\./, ".")));
    }
    head.append(names, shares);
    return head;
  }

  function drawRows(count) {
    undrawn.rows.splice(0, count).forEach((draw) => draw());
  }

  // Draw a screenful at once and the rest in batches, because thousands of rows would block the page.
  function drawRest() {
    clearTimeout(undrawn.timer);
    if (undrawn.rows.length === 0) return;
    undrawn.timer = setTimeout(() => { drawRows(3 * ROWS_AT_ONCE); drawRest(); });
  }

  function drawGroup(group) {
    const body = make("tbody");
    if (group.title !== null) {
      const row = make("tr");
      row.append(make("th", group.title, { scope: "rowgroup", colspan: data.languages.length + 1 }));
      body.append(row);
    }
    return body;
  }

  function drawRow(mixture, languages, scale) {
    const row = make("tr");
    row.append(make("th", data.mixtures[mixture].name, { scope: "row" }));
    for (const language of languages) row.append(drawCell(mixture, language, scale));
    return row;
  }

  function drawCell(mixture, language, scale) {
    const shown = value(mixture, language);
    const element = make("td", state.show === "score" ? decimal(shown) : signed(shown), {
      tabindex: -1, "data-mixture": mixture, "data-language": language,
    });
    const cell = at(mixture, language);
    const words = [];
    if (shown !== null) {
      const colour = colourOf(shown, scale);
      element.style.background = colour;
      element.style.color = isLight(colour) ? "#1a1a1a" : "#fff";
    }
    if (data.mixtures[mixture].seenSet.has(language)) { element.classList.add("seen"); words.push("in the mixture"); }
    if (isWeak(cell)) { element.classList.add("weak"); words.push("no better than a baseline"); }
    if (isUnranked(cell)) { element.classList.add("unranked"); words.push("too few posts to be ranked"); }
    if (words.length) element.setAttribute("aria-label", [element.textContent, ...words].join(", "));
    return element;
  }

  function drawScale(scale) {
    const bar = make("span");
    bar.style.background = `linear-gradient(to right, ${scale.colours.join(",")})`;
    const write = state.show === "score" ? decimal : signed;
    document.getElementById("scale").replaceChildren(make("span", write(scale.low)), bar, make("span", write(scale.high)));
  }

  function describeState() {
    const shows = { score: "score", gap: "gap to the in-language adapter", gain: "gain over the untuned base" };
    const order = state.sort === null ? `by ${state.order}`
      : `rows by ${data.languages[state.sort.language].name}, languages by ${state.order}`;
    document.getElementById("matrix-state").textContent =
      `${state.view}: ${data.metrics[state.metric]}, ${shows[state.show]}; ${order}.`;
  }

  function sortBy(language) {
    const isSame = state.sort !== null && state.sort.language === language;
    state.sort = language === null ? null : { language, direction: isSame ? -state.sort.direction : 1 };
    drawMatrix();
    const code = language === null ? null : data.languages[language].code;
    const heading = code === null ? table.querySelector("thead th button")
      : table.querySelector(`thead th[data-language="${CSS.escape(code)}"] button`);
    heading.focus();
  }

  // A cell: its tooltip and its dialog ------------------------------------------------------------------------------

  const cellOf = (element) => [Number(element.dataset.mixture), Number(element.dataset.language)];
  const titleOf = (mixture, language) =>
    `${data.mixtures[mixture].name} \u2192 ${data.languages[language].name} (${data.languages[language].code})`;

  function scoreWords(cell, metric = state.metric) {
    const { score, low, high } = numbers(metric);
    if (score[cell] === null) return "no score";
    const interval = low[cell] === null ? "" : ` [${decimal(low[cell], 3)}, ${decimal(high[cell], 3)}]`;
    return `${decimal(score[cell], 3)}${interval}`;
  }

  function tipWords(mixture, language) {
    const cell = at(mixture, language);
    const lines = [titleOf(mixture, language), `${data.metrics[state.metric]} ${scoreWords(cell)}`];
    if (state.show !== "score") {
      const shown = value(mixture, language);
      const row = reference(language);
      const other = row === null ? "a row that is not in the grid" : data.mixtures[row].name;
      lines.push(`${state.show} ${signed(shown, 3)} against ${other}`);
    }
    lines.push(`better baseline ${decimal(numbers().baseline[cell], 3)}`);
    lines.push(`${view().n[cell] ?? 0} posts, ${view().seeds[cell] ?? 0} seed(s)`);
    if (isUnranked(cell)) lines.push("too few posts to be ranked");
    return lines.join("\n");
  }

  function showTip(element) {
    tip.textContent = tipWords(...cellOf(element));
    tip.hidden = false;
    const box = element.getBoundingClientRect();
    const left = Math.min(box.left, document.documentElement.clientWidth - tip.offsetWidth - 8);
    const above = box.top - tip.offsetHeight - 6;
    tip.style.left = `${Math.max(4, left) + window.scrollX}px`;
    tip.style.top = `${(above > 0 ? above : box.bottom + 6) + window.scrollY}px`;
    element.setAttribute("aria-describedby", "tip");
  }

  function hideTip(element) {
    tip.hidden = true;
    element?.removeAttribute("aria-describedby");
  }

  function openCell(element) {
    const [mixture, language] = cellOf(element);
    hideTip(element);
    document.getElementById("cell-title").textContent = `${titleOf(mixture, language)}, ${state.view}`;
    document.getElementById("cell-content").replaceChildren(...cellContent(mixture, language));
    document.getElementById("cell").showModal();
  }

  function cellContent(mixture, language) {
    const cell = at(mixture, language);
    const scores = Object.entries(data.metrics).map(([metric, name]) => {
      return [name, scoreWords(cell, metric), decimal(numbers(metric).baseline[cell], 3)];
    });
    const held = data.mixtures[mixture].seenSet.has(language) ? "This language is in the mixture." : "This language is not in the mixture.";
    const posts = `${view().n[cell] ?? 0} test posts, ${view().seeds[cell] ?? 0} seed(s). ${held}`;
    const table = plainTable("Scores with 95% intervals", ["metric", "score", "better baseline"], scores);
    return [make("p", posts), table, ...confusionContent(cell, language)];
  }

  function confusionContent(cell, language) {
    const { classes, confusion, examples } = view();
    if (confusion === null) return [];
    const side = classes.length + 1;
    const first = cell * classes.length * side;
    const count = (gold, predicted) => confusion[first + gold * side + predicted];
    const hasNone = classes.some((_, gold) => count(gold, classes.length) > 0);
    const shown = hasNone ? [...classes, "no class"] : classes;
    const rows = classes.map((name, gold) => {
      const all = shown.reduce((sum, _, predicted) => sum + count(gold, predicted), 0);
      return [name, ...shown.map((_, predicted) => withShare(count(gold, predicted), all))];
    });
    const table = plainTable("Confusion: posts by gold class (rows) and predicted class (columns), summed over seeds",
      ["gold", ...shown], rows, "plain confusion");
    const errors = classes.flatMap((name, gold) => shown.map((other, predicted) => ({
      kind: `${name} predicted as ${other}`, posts: examples[first + gold * side + predicted] || [],
    }))).filter(({ posts }) => posts.length);
    return [table, ...(errors.length ? [make("h3", "Example errors"), exampleList(errors, data.languages[language].code)] : [])];
  }

  const withShare = (count, all) => (all ? `${count} (${Math.round((100 * count) / all)}%)` : `${count}`);

  function exampleList(errors, code) {
    const list = make("dl", null, { class: "examples" });
    for (const { kind, posts } of errors) {
      list.append(make("dt", kind));
      for (const number of posts) {
        const entry = make("dd", null);
        entry.append(make("code", data.posts[code][number]));
        const text = data.texts?.[code][number];
        if (text) entry.append(" ", make("q", text, { dir: "auto" }));
        list.append(entry);
      }
    }
    return list;
  }

  function plainTable(caption, head, rows, className = "plain") {
    const element = make("table", null, { class: className });
    element.append(make("caption", caption));
    const top = make("tr");
    head.forEach((name) => top.append(make("th", name, { scope: "col" })));
    const body = make("tbody");
    for (const row of rows) {
      const line = make("tr");
      row.forEach((text, number) => line.append(number ? make("td", text) : make("th", text, { scope: "row" })));
      body.append(line);
    }
    element.append(make("thead"), body);
    element.tHead.append(top);
    return element;
  }

  // Arrow keys move between cells; only one cell of the matrix at a time can be reached with the Tab key.
  function neighbour(element, key) {
    const row = element.parentElement;
    const column = [...row.children].indexOf(element);
    const rows = [...table.querySelectorAll("tbody tr")].filter((one) => one.querySelector("td"));
    const place = rows.indexOf(row);
    const moves = {
      ArrowLeft: () => row.children[column - 1],
      ArrowRight: () => row.children[column + 1],
      ArrowUp: () => rows[place - 1]?.children[column],
      ArrowDown: () => rows[place + 1]?.children[column],
      Home: () => row.children[1],
      End: () => row.lastElementChild,
      PageUp: () => rows[0].children[column],
      PageDown: () => rows[rows.length - 1].children[column],
    };
    const found = moves[key]?.();
    return found?.dataset.mixture === undefined ? null : found;
  }

  function moveTo(element) {
    table.querySelector('td[tabindex="0"]')?.setAttribute("tabindex", -1);
    element.tabIndex = 0;
    element.focus();
  }

  function listenToMatrix() {
    const cellAt = (event) => event.target.closest("td[data-mixture]");
    table.addEventListener("mouseover", (event) => cellAt(event) && showTip(cellAt(event)));
    table.addEventListener("mouseout", (event) => hideTip(cellAt(event)));
    table.addEventListener("focusin", (event) => cellAt(event) && showTip(cellAt(event)));
    table.addEventListener("focusout", (event) => hideTip(cellAt(event)));
    table.addEventListener("click", (event) => cellAt(event) && openCell(cellAt(event)));
    table.addEventListener("keydown", (event) => {
      const cell = cellAt(event);
      if (!cell) return;
      if (event.key === "Escape") hideTip(cell);
      const next = neighbour(cell, event.key);
      if (next) moveTo(next);
      if (event.key === "Enter" || event.key === " ") openCell(cell);
      if (next || event.key === "Enter" || event.key === " ") event.preventDefault();
    });
    document.getElementById("matrix-scroll").addEventListener("scroll", () => hideTip(null));
  }

  // Charts ----------------------------------------------------------------------------------------------------------

  const unit = (units) => (units === null ? null : units / UNIT);

  function drawChart(name, points) {
    const spec = { ...specs[name], datasets: { points } };
    return vegaEmbed(`#${name}-chart`, spec, { actions: false, ast: true, renderer: "svg" });
  }

  function drawExposure() {
    const mixture = Number(document.getElementById("exposure-mixture").value);
    const { score, low, high } = numbers();
    const scored = data.languages.map((language, number) => ({ language, number, cell: at(mixture, number) }))
      .filter(({ cell }) => score[cell] !== null);
    const known = scored.filter(({ language }) => language.exposure > 0);
    const others = scored.filter(({ language }) => !(language.exposure > 0));
    document.getElementById("exposure-unknown").textContent = others.length
      ? `Not on the axis (exposure unknown or zero): ${others.map(({ language, cell }) => `${language.name} ${decimal(score[cell])}`).join(", ")}.` : "";
    return drawChart("exposure", known.map(({ language, number, cell }) => ({
      language: language.name, code: language.code, exposure: language.exposure,
      score: unit(score[cell]), low: unit(low[cell]), high: unit(high[cell]),
      held: data.mixtures[mixture].seenSet.has(number) ? "in the mixture" : "not in it",
    })));
  }

  // Mixtures like en+hu@25: one series per base and added language, starting with the base alone (dose 0).
  function dosePoints() {
    const codes = new Map(data.languages.map((language, number) => [language.code, number]));
    const points = [];
    const started = new Set();
    data.mixtures.forEach((mixture, row) => {
      const found = /^([^~]+)\+([^+@~]+)@(\d+)$/.exec(mixture.name);
      if (!found || !codes.has(found[2])) return;
      const [, base, added, dose] = found;
      const series = `${base} and ${added}`;
      const steps = [[mixture.name, row, Number(dose)]];
      if (!started.has(series) && mixtureNumber.has(base)) steps.unshift([base, mixtureNumber.get(base), 0]);
      started.add(series);
      for (const [name, number, size] of steps) {
        const score = numbers().score[at(number, codes.get(added))];
        if (score !== null) points.push({ series, mixture: name, dose: size, score: unit(score) });
      }
    });
    return points;
  }

  function drawCharts() {
    const points = dosePoints();
    document.getElementById("doses-figure").hidden = points.length === 0;
    return Promise.all([drawExposure(), points.length ? drawChart("doses", points) : null]);
  }

  function offerMixtures() {
    const select = document.getElementById("exposure-mixture");
    // Exposure is that of the base, so rows of other systems are not offered.
    const ofBase = data.rows.exposure.filter((number) => !data.mixtures[number].rival);
    for (const number of ofBase) select.append(make("option", data.mixtures[number].name, { value: number }));
    const preferred = mixtureNumber.get("all");
    if (preferred !== undefined) select.value = preferred;
    select.addEventListener("change", drawExposure);
  }

  // The page --------------------------------------------------------------------------------------------------------

  function change(name, chosen) {
    state[name] = chosen;
    if (name === "order") state.sort = null;
    document.querySelectorAll("[data-view]").forEach((part) => { part.hidden = part.dataset.view !== state.view; });
    drawMatrix();
    if (name === "view" || name === "metric") drawCharts();
  }

  data.views.forEach((one) => { one.unrankedSet = new Set(one.unranked); });
  data.mixtures.forEach((one) => { one.seenSet = new Set(one.seen); });
  document.querySelectorAll("#controls, #matrix-controls").forEach((form) => {
    form.reset();
    form.addEventListener("change", (event) => change(event.target.name, event.target.value));
  });
  if (!mixtureNumber.has("none")) document.querySelector('input[value="gain"]').disabled = true;
  if (!data.languages.some(({ code }) => mixtureNumber.has(code))) document.querySelector('input[value="gap"]').disabled = true;
  listenToMatrix();
  offerMixtures();
  window.addEventListener("beforeprint", () => drawRows(Infinity));
  drawMatrix();
  // The matrix is visible and responsive before the charts are drawn.
  await new Promise((painted) => requestAnimationFrame(() => setTimeout(painted)));
  performance.mark("opened");
  await drawCharts();
  document.documentElement.dataset.ready = "true";
})();
