// The dashboard: asks /api/v1, shows the answers, and asks again when the coordinator says that something has changed.
// Whatever comes from elsewhere is put into the page as text, never as markup.

const STATES = {
  blocked: "dim", ready: "wait", leased: "busy", running: "busy", succeeded: "good", failed: "bad", aborted: "bad", cancelled: "dim",
};
const SIGNS = {
  blocked: "…", ready: "○", leased: "▶", running: "▶", succeeded: "✓", failed: "✗", aborted: "⊘", cancelled: "–",
};
const WORDS = { leased: "running" };
const PAGE = 50;
const main = document.getElementById("main");
const line = document.getElementById("line");
let token = sessionStorage.getItem("vico-token") ?? "";
let drawn = 0; // Which drawing is the latest: an answer that comes late must not replace it.
let pictures = new Map(); // Object URLs by address.

// --- asking ---

class Refused extends Error {}

async function ask(path, stop) {
  const headers = token ? { authorization: `Bearer ${token}` } : {};
  const answer = await fetch(`api/v1/${path}`, { headers, signal: stop });
  if (answer.ok) return answer;
  const reason = await answer.json().then((told) => told.error, () => answer.statusText);
  if (answer.status === 401 || answer.status === 403) throw new Refused(reason);
  throw new Error(reason);
}

const json = async (path) => (await ask(path)).json();

async function picture(path) {
  if (!pictures.has(path)) {
    const blob = await (await ask(path)).blob();
    pictures.set(path, URL.createObjectURL(blob));
  }
  return pictures.get(path);
}

function askForToken(reason) {
  const door = document.getElementById("door");
  document.getElementById("door-reason").textContent = token ? reason : "";
  if (door.open) return;
  door.onclose = () => {
    token = document.getElementById("token").value.trim();
    sessionStorage.setItem("vico-token", token);
    listen();
    draw();
  };
  door.showModal();
}

// --- making elements ---

function make(tag, attributes, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes ?? {})) {
    if (value !== undefined && value !== null) element.setAttribute(name, value);
  }
  element.append(...children.flat().filter((child) => child !== undefined && child !== null));
  return element;
}

const link = (to, ...children) => make("a", { href: `#/${to}` }, ...children);
const state = (name) => make("span", { class: `state ${STATES[name]}` }, `${SIGNS[name]} ${WORDS[name] ?? name}`);
const number = (value) => value.toLocaleString("en");

function table(kind, heads, rows, caption) {
  const head = make("thead", {}, make("tr", {}, heads.map((text) => make("th", { scope: "col" }, text))));
  return make("div", { class: "wide", tabindex: "0", role: "region", "aria-label": caption },
    make("table", { class: kind }, head, make("tbody", {}, rows)));
}

function row(heads, first, ...cells) {
  const labelled = cells.map((cell, at) => make("td", { "data-label": heads[at + 1] }, cell));
  return make("tr", {}, make("th", { scope: "row" }, first), labelled);
}

function span(milliseconds) {
  if (milliseconds === null || milliseconds === undefined) return "–";
  const seconds = Math.max(0, Math.round(milliseconds / 1000));
  if (seconds < 60) return `${seconds} s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ${seconds % 60} s`;
  if (seconds < 86400) return `${Math.floor(seconds / 3600)} h ${Math.floor((seconds % 3600) / 60)} min`;
  return `${Math.floor(seconds / 86400)} d ${Math.floor((seconds % 86400) / 3600)} h`;
}

const ago = (time) => make("time", { datetime: new Date(time).toISOString() }, `${span(Date.now() - time)} ago`);
const gib = (bytes) => `${(bytes / 2 ** 30).toFixed(1)} GiB`;

function thumbnail(job, name, caption) {
  const image = make("img", { alt: caption, loading: "lazy", width: "256", height: "256" });
  picture(`jobs/${job}/pictures/${name}`).then((url) => (image.src = url), () => (image.alt = `${caption} (gone)`));
  return make("figure", {}, image, make("figcaption", {}, link(`job/${job}`, caption)));
}

// --- sweeps ---

function counts(stages) {
  const sum = (field) => stages.reduce((total, stage) => total + stage[field], 0);
  const jobs = ["blocked", "ready", "leased", "succeeded", "failed", "aborted", "cancelled"].map(sum);
  return {
    all: jobs.reduce((a, b) => a + b, 0), waiting: jobs[0] + jobs[1], running: jobs[2], done: jobs[3],
    failed: jobs[4] + jobs[5], reused: sum("reused"), inFlight: sum("in_flight"),
  };
}

function bar(count) {
  return make("progress", { max: count.all || 1, value: count.done + count.inFlight, "aria-label": `${count.done} of ${count.all} jobs done` });
}

async function sweeps() {
  const list = await json("sweeps");
  const heads = ["Sweep", "State", "Done", "", "Running", "Failed", "Left", "Submitted"];
  const rows = list.map((sweep) => {
    const count = counts(sweep.stages);
    return row(heads, link(`sweep/${sweep.sweep}`, sweep.sweep), state(sweep.state), `${number(count.done)} / ${number(count.all)}`,
      bar(count), number(count.running), make("span", { class: count.failed ? "bad" : "dim" }, number(count.failed)),
      sweep.state === "running" ? span(sweep.eta_ms) : "–", ago(sweep.submitted));
  });
  const none = make("p", { class: "dim" }, "There is no sweep yet: ", make("code", {}, "vico-coord submit manifest.yaml"));
  return ["Sweeps", make("h1", {}, "Sweeps"), rows.length ? table("list", heads, rows, "Sweeps") : none];
}

function stageTable(stages) {
  const heads = ["Stage", "Done", "", "Running", "Ready", "Blocked", "Failed", "Done before"];
  const rows = stages.map((stage) => {
    const count = counts([stage]);
    return row(heads, stage.stage.replace("_", " "), `${number(count.done)} / ${number(count.all)}`, bar(count), number(stage.leased),
      number(stage.ready), number(stage.blocked), make("span", { class: count.failed ? "bad" : "dim" }, number(count.failed)),
      number(stage.reused));
  });
  return table("list", heads, rows, "Stages");
}

function cell(board, concept, method, stages) {
  const lines = Object.entries(stages).map(([stage, states]) => {
    const shown = Object.entries(states).map(([name, jobs]) =>
      make("a", { href: `#/sweep/${board.status.sweep}/jobs?${new URLSearchParams({ stage, state: name, method, concept })}`,
        class: STATES[name], title: `${stage}: ${jobs} ${WORDS[name] ?? name}` }, `${SIGNS[name]} ${jobs}`));
    return make("div", {}, make("span", { class: "dim" }, stage), make("span", {}, shown.flatMap((one) => [one, " "])));
  });
  return make("td", {}, lines);
}

function matrix(board) {
  if (!board.concepts.length) return null;
  const rows = board.concepts.map((one) =>
    make("tr", {}, make("th", { scope: "row" }, one.concept), one.cells.map((stages, at) => cell(board, one.concept, board.methods[at], stages))));
  const more = board.more_concepts ? make("p", { class: "dim" }, `and ${board.more_concepts} concepts more`) : null;
  return [make("h2", {}, "Concepts and methods"), table("matrix", ["Concept", ...board.methods], rows, "Concepts and methods"), more];
}

function failures(board) {
  if (!board.failures.length) return null;
  const heads = ["Class", "Jobs", "One of them said"];
  const rows = board.failures.map((one) => row(heads, make("span", { class: "bad" }, one.class), number(one.jobs), one.example));
  return [make("h2", {}, "Failures"), table("list", heads, rows, "Failures")];
}

async function sweep(id) {
  const [board, made] = await Promise.all([
    json(`sweeps/${encodeURIComponent(id)}`),
    json(`sweeps/${encodeURIComponent(id)}/jobs?stage=sample&state=succeeded&order=latest&limit=12`),
  ]);
  const { status } = board;
  const estimate = status.eta_ms === null ? "no estimate yet" : `about ${span(status.eta_ms)} left`;
  const left = status.state === "running" ? estimate : status.finished ? ["ended ", ago(status.finished)] : "";
  const strip = made.jobs.map((job) => thumbnail(job.job, "p00/s0.png", job.label.replace(/\/sample$/, "")));
  const notices = status.notices.map((notice) => make("li", {}, notice));
  return [id, make("h1", {}, id), make("p", {}, state(status.state), " · submitted ", ago(status.submitted), " · ", left),
    stageTable(status.stages), failures(board),
    notices.length ? [make("h2", {}, "Notices"), make("ul", {}, notices)] : null, matrix(board),
    strip.length ? [make("h2", {}, "Latest pictures"), make("div", { class: "strip" }, strip)] : null,
    make("p", {}, link(`sweep/${id}/jobs`, "All jobs"))];
}

async function jobs(id, query) {
  const asked = new URLSearchParams(query);
  const offset = Number(asked.get("offset") ?? 0);
  asked.set("limit", PAGE);
  const page = await json(`sweeps/${encodeURIComponent(id)}/jobs?${asked}`);
  const heads = ["Job", "State", "Worker", "Attempts", "What is to say"];
  const rows = page.jobs.map((job) => {
    const { done, of } = job.progress ?? {};
    const said = job.progress ? make("progress", { max: of || 1, value: done, "aria-label": `${done} of ${of}` }) : job.reason ?? "";
    return row(heads, link(`job/${job.job}`, job.label), state(job.state), job.worker ?? "–", number(job.attempts), said);
  });
  const to = (at, text) => {
    const query = new URLSearchParams(asked);
    query.delete("limit");
    query.set("offset", at);
    return link(`sweep/${id}/jobs?${query}`, text);
  };
  const filters = [...asked].filter(([name]) => !["limit", "offset"].includes(name)).map(([name, value]) => `${name} ${value}`);
  const tools = make("p", { class: "tools" }, `${number(page.total)} ${page.total === 1 ? "job" : "jobs"}${filters.length ? `: ${filters.join(", ")}` : ""}`,
    offset > 0 ? to(Math.max(0, offset - PAGE), "earlier") : null, offset + PAGE < page.total ? to(offset + PAGE, "more") : null);
  return [`Jobs of ${id}`, make("h1", {}, "Jobs of ", link(`sweep/${id}`, id)), tools, table("list", heads, rows, "Jobs")];
}

// --- a job ---

function attempts(list) {
  const heads = ["Attempt", "Worker", "Began", "Took", "How it ended"];
  const rows = list.map((one) => row(heads, String(one.attempt), one.worker, ago(one.started),
    span((one.ended ?? Date.now()) - one.started),
    one.failure ? make("span", { class: "bad" }, `${one.failure.class}: ${one.failure.message}`) : one.ended ? "in order" : state("leased")));
  return table("list", heads, rows, "Attempts");
}

async function job(key) {
  const [detail, log] = await Promise.all([json(`jobs/${key}`), json(`jobs/${key}/log`)]);
  const { status, receipt } = detail;
  const outputs = Object.keys(receipt?.outputs ?? {});
  const drawnOnes = outputs.filter((name) => name.endsWith(".png"));
  const facts = { "Key": make("code", {}, status.job), "Stage": status.stage, "Worker": status.worker ?? "–", "Outputs": String(outputs.length),
    "On the command line": make("code", {}, `vico-coord describe ${status.job.slice(0, 12)}`) };
  const text = log.map((said) => `${new Date(said.at).toISOString()}  ${said.attempt}  ${said.text}`).join("\n");
  const progress = status.progress
    ? make("p", {}, make("progress", { max: status.progress.of || 1, value: status.progress.done, "aria-label": "progress" }),
        make("span", { class: "dim" }, `${status.progress.done} of ${status.progress.of}`)) : null;
  return [status.label, make("h1", {}, status.label), make("p", {}, state(status.state), status.reason ? ` · ${status.reason}` : ""), progress,
    make("dl", {}, Object.entries(facts).flatMap(([name, value]) => [make("dt", {}, name), make("dd", {}, value)])),
    drawnOnes.length ? [make("h2", {}, "Pictures"), make("div", { class: "strip" }, drawnOnes.slice(0, 48).map((name) => thumbnail(key, name, name)))] : null,
    detail.attempts.length ? [make("h2", {}, "Attempts"), attempts(detail.attempts)] : null,
    text ? [make("h2", {}, "Log"), make("pre", { tabindex: "0" }, text)] : null,
    make("details", {}, make("summary", {}, "What it reads"), make("pre", { tabindex: "0" }, JSON.stringify(detail.spec, null, 2)))];
}

// --- workers ---

async function workers() {
  const list = await json("workers");
  const cards = list.map((worker) => make("article", { class: "card" }, make("h3", {}, worker.worker),
    make("p", { class: worker.condition ? "bad" : "good" }, worker.condition ?? "ready"),
    make("p", {}, worker.device.name, worker.device.vram ? ` · ${gib(worker.device.vram)} · driver ${worker.device.driver}` : ""),
    make("p", { class: "dim" }, `${worker.jobs.length} of ${worker.slots} slots busy · ${worker.version} · heard `, ago(worker.last_seen)),
    worker.jobs.map((key) => make("p", {}, link(`job/${key}`, make("code", {}, key.slice(0, 12)))))));
  const none = make("p", { class: "dim" }, "No worker has come yet: ", make("code", {}, "vico-worker --coordinator URL"));
  return ["Workers", make("h1", {}, "Workers"), cards.length ? make("div", { class: "cards" }, cards) : none];
}

// --- drawing ---

function view() {
  const [path, query] = location.hash.replace(/^#\/?/, "").split("?");
  const [page, id, part] = path.split("/").map(decodeURIComponent);
  if (page === "sweep" && part === "jobs") return () => jobs(id, query);
  if (page === "sweep") return () => sweep(id);
  if (page === "job") return () => job(id);
  return page === "workers" ? workers : sweeps;
}

async function draw() {
  const mine = ++drawn;
  try {
    const [title, ...children] = await view()();
    if (mine !== drawn) return;
    const open = [...main.querySelectorAll("details")].map((details) => details.open);
    main.replaceChildren(...children.flat(2).filter(Boolean));
    main.querySelectorAll("details").forEach((details, at) => (details.open = open[at] ?? false));
    document.title = `${title} · vico`;
    const workersShown = location.hash.startsWith("#/workers");
    document.querySelectorAll("nav a").forEach((to) => {
      if ((to.hash === "#/workers") === workersShown) to.setAttribute("aria-current", "page");
      else to.removeAttribute("aria-current");
    });
    line.textContent = `as of ${new Date().toLocaleTimeString("en-GB")}`;
  } catch (error) {
    if (mine !== drawn) return;
    if (error instanceof Refused) return askForToken(error.message);
    line.textContent = `${error.message}; trying again`;
    if (!main.children.length) main.replaceChildren(make("p", { class: "bad" }, error.message));
  }
}

// --- news ---

let listening = new AbortController();

async function listen() {
  listening.abort();
  const mine = (listening = new AbortController());
  while (!mine.signal.aborted) {
    try {
      const reader = (await ask("events", mine.signal)).body.getReader();
      // Whatever comes says the same: there is something new.
      while (!(await reader.read()).done) if (!document.hidden) draw();
    } catch (error) {
      if (error instanceof Refused) return;
      if (!mine.signal.aborted) draw();
    }
    await new Promise((resolve) => setTimeout(resolve, 3000));
  }
}

addEventListener("hashchange", () => {
  draw().then(() => main.focus({ preventScroll: true }));
  scrollTo(0, 0);
});
addEventListener("visibilitychange", () => document.hidden || draw());
listen();
draw();
