// Visits every view of a dashboard in Chromium, wide and light, then narrow and dark, as somebody with a token would.
//
//   node dashboard.mjs PLAYWRIGHT URL TOKEN [FOLDER for pictures of the pages]
//
// Fails if a script complains, if anything is asked of another place, if a page is wider than its window, or if a picture or a
// table does not come.
import assert from "node:assert/strict";
import path from "node:path";

const [playwright, url, token, folder] = process.argv.slice(2);
const { chromium } = (await import(playwright)).default;

const VISITORS = [
  { name: "wide", viewport: { width: 1280, height: 900 }, colorScheme: "light" },
  { name: "phone", viewport: { width: 390, height: 844 }, colorScheme: "dark" },
];
const QUIET = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
  "--disable-component-update", "--disable-sync"];

async function fits(page, name) {
  const [needed, there] = await page.evaluate(() => [document.documentElement.scrollWidth, innerWidth]);
  assert(needed <= there, `${name} is ${needed} pixels wide in a window of ${there}`);
  if (folder) await page.screenshot({ path: path.join(folder, `${name}.png`), fullPage: true });
}

async function visit(browser, { name, viewport, colorScheme }) {
  const context = await browser.newContext({ viewport, colorScheme });
  const page = await context.newPage();
  const faults = [];
  // Before the token there is one answer 401, which the browser tells of by itself.
  page.on("console", (said) => said.type() === "error" && !said.text().includes("401") && faults.push(said.text()));
  page.on("pageerror", (error) => faults.push(String(error)));
  page.on("request", (asked) => {
    const at = asked.url();
    if (!at.startsWith(url) && !at.startsWith(`blob:${url}`)) faults.push(`something was asked of ${at}`);
  });
  const heading = (text) => page.getByRole("heading", { level: 1, name: text }).waitFor();

  await page.goto(url);
  await page.getByRole("textbox", { name: "Token" }).fill(token);
  await page.getByRole("button", { name: "Show the dashboard" }).click();
  await heading("Sweeps");
  await fits(page, `${name}-sweeps`);

  const sweep = page.getByRole("region", { name: "Sweeps" }).getByRole("link").first();
  const id = await sweep.textContent();
  await sweep.click();
  await heading(id);
  const image = page.locator("figure img").first();
  await image.waitFor();
  await page.waitForFunction((image) => image.complete && image.naturalWidth > 0, await image.elementHandle());
  await page.waitForTimeout(500);
  await fits(page, `${name}-sweep`);

  await page.getByRole("region", { name: "Concepts and methods" }).getByRole("link").first().click();
  await heading(/Jobs of/);
  await fits(page, `${name}-jobs`);
  await page.getByRole("region", { name: "Jobs" }).getByRole("link").first().click();
  await page.getByRole("heading", { level: 2, name: "Attempts" }).waitFor();
  await page.locator("pre").first().waitFor();
  await fits(page, `${name}-job`);

  await page.getByRole("link", { name: "Workers" }).click();
  await heading("Workers");
  await page.locator(".card").first().waitFor();
  await fits(page, `${name}-workers`);
  assert.deepEqual(faults, []);
  await context.close();
}

const executablePath = process.env.CHROMIUM ?? "/usr/bin/chromium";
const browser = await chromium.launch({ executablePath, args: QUIET });
try {
  for (const visitor of VISITORS) {
    await visit(browser, visitor);
    console.log(`${visitor.name}: every view comes, fits, and asks nobody else`);
  }
} finally {
  await browser.close();
}
